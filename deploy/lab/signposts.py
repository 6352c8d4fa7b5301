"""Where to look in a running lab, and how to speak to it from a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

from deploy.lab.names import Lab


def environment(lab: Lab) -> dict[str, str]:
    """Return the variables with which ``failover``, ``temporal`` and ``kubectl`` find this lab."""
    return {"TEMPORAL_ADDRESS": f"127.0.0.1:{lab.ports['temporal']}", "KUBECONFIG": str(lab.kubeconfig)}


def write_environment(lab: Lab) -> None:
    """Write them to ``environment`` in the lab's home, for ``./run failover`` and for a shell's ``source``."""
    write_variables(lab.home / "environment", environment(lab))


def write_variables(path: Path, variables: dict[str, str]) -> None:
    """Write variables so that a shell can source them; nobody sees half of them."""
    lines = [f"export {key}={shlex.quote(value)}" for key, value in variables.items()]
    beside = path.with_suffix(".new")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(path)


def signposts(lab: Lab) -> str:
    """Return the lines to print."""
    speak = f". {lab.home}/environment && ./run failover" if lab.option else "./run failover"
    return f"""
  Temporal UI       http://127.0.0.1:{lab.ports["ui"]}
  look around       {speak} doctor · {speak} history · . {lab.home}/environment && kubectl get pods -A
  move the database {speak} start postgres-failover orders --by mona   (then: approve orders --by dana)
  break something   ./run failover lab break primary{lab.option} · heal{lab.option}
  take it down      ./run failover lab down{lab.option}"""
