"""Two regions by the commands of the lab: one is lost, customers are served from the other one; it returns; all goes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio
from temporalio.client import Client
from typer.testing import CliRunner

from activities.drills.models import DrillDetails
from activities.run.models.report import Outcome
from deploy.lab.azure.pair import PRIMARY, REPLICA
from deploy.lab.commands import lab
from deploy.lab.patience import stretched
from deploy.lab.processes import wait_until
from deploy.lab.regions import commands
from deploy.lab.regions.demo import agreed, approved, returned
from deploy.lab.regions.names import Regions
from deploy.lab.regions.scene import EAST, WEST
from deploy.lab.switching import Handle, plan_of, status_of
from deploy.lab.switching import facts as facts_of_run
from starters.history.model import Facts
from starters.render.terminal import time_lines
from tests.leftovers.marks import MARK, OWNER_FILE
from workflows.region.models import CONFIRM, CONFIRM_BACK, region_lock_id
from workflows.run.payloads import DATA_CONVERTER
from workflows.run.phases import Phase

_REGIONS = Regions("two")
_MOST_BYTES, _SERVED_WITHIN_SECONDS = 6 * 1024**3, 30
_CHILDREN, _OWN_SECONDS = 4, 2.0
"""Traffic is planned twice and led once, the database is moved once."""


@dataclass(frozen=True)
class _Two:
    """Two regions that run: what ``up`` has said of them, and a client of their Temporal."""

    facts: dict[str, Any]
    client: Client

    async def failover(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Type a command in a shell with the environment that ``up`` has written."""
        words = [sys.executable, "-m", "starters.main", *args]
        shell = ["bash", "-c", f'. {_REGIONS.environment} && exec "$@"', "failover", *words]
        told = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "FAILOVER_"))}
        done = await asyncio.to_thread(subprocess.run, shell, capture_output=True, text=True, env=told, check=False)
        assert done.returncode in {0, 4}, done
        return done

    async def start(self, *args: str) -> Handle:
        """Start a region's run; nobody has approved yet."""
        await self.failover("start", *args, "--by", "omar", "--reason", "a test")
        return self.client.get_workflow_handle(region_lock_id(EAST))


async def _lab(*args: str) -> dict[str, Any]:
    """Type a command of the lab; return its JSON document."""
    result = await asyncio.to_thread(CliRunner().invoke, lab, [*args, "--name", _REGIONS.name, "-o", "json"])
    print(result.stderr)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


async def _served() -> dict[str, Any]:
    """Return how customers are served."""
    return dict((await _lab("status"))["regions"]["customers"])


async def _until(what: str, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until that holds of how customers are served."""
    await asyncio.to_thread(wait_until, what, lambda: holds(commands.status(_REGIONS)["customers"]), _SERVED_WITHIN_SECONDS)


async def _until_served_from(region: str) -> None:
    await _until(f"customers served from {region}", lambda customers: bool(customers["served_from"] == region))


@pytest_asyncio.fixture(loop_scope="session")
async def two() -> AsyncIterator[_Two]:
    """Bring both up; ``eastus`` serves."""
    await _lab("down")
    for one in _REGIONS.labs:
        one.home.mkdir(parents=True)
        (one.home / OWNER_FILE).write_text(os.environ[MARK], encoding="utf-8")
    try:
        facts = (await _lab("up", "regions"))["regions"]
        yield _Two(facts, await Client.connect(facts["environment"]["TEMPORAL_ADDRESS"], data_converter=DATA_CONVERTER))
    finally:
        await _lab("down")
    assert not any(one.home.exists() for one in _REGIONS.labs)


async def test_customers_are_served_from_the_other_region_and_later_from_the_first_again(two: _Two) -> None:
    print(f"memory of all processes together: {two.facts['memory_bytes'] / 1024**2:.0f} MiB")
    assert two.facts["memory_bytes"] < _MOST_BYTES
    await _without_the_other_api_server_nothing_moves(two)

    since = datetime.now(UTC)
    assert (await _lab("break", "region"))["done"] == "lost eastus: gateway, control plane, node, database"
    assert "already" in (await _lab("break", "region"))["done"]
    status = await _lab("status")
    assert status["exit_code"] == 1
    assert {part for part, runs in status["regions"]["parts"].items() if not runs} == {
        f"{EAST} {part}" for part in ("gateway", "API server", "control plane", "node", "database")
    }
    forced = ("--mode", "forced", "--down-since", since.isoformat())
    handle = await two.start("region-failover", EAST, "--to", WEST, "--confirm", CONFIRM, *forced)
    facts = await approved(two.client, handle)
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    _took_little_of_its_own(facts)
    await _until_served_from(WEST)
    served = await _served()
    print(f"customers: {served}")
    assert served["missing_seconds"] <= 1
    assert (await _lab("status"))["regions"]["promotions"] == 1

    assert (await _lab("heal", "region"))["done"] == "eastus is back as before"
    assert "nothing was done" in (await _lab("heal", "region"))["done"]
    await returned(two.client)
    back = await approved(two.client, await two.start("region-failback", EAST, "--confirm", CONFIRM_BACK))
    assert back.outcome is Outcome.COMPLETED, back.reason
    await _until_served_from(EAST)
    again = (await _lab("status"))["regions"]
    assert {key: again["customers"][key] for key in ("missing", "missing_seconds")} == {
        key: served[key] for key in ("missing", "missing_seconds")
    }
    assert (again["leader"], again["promotions"]) == (PRIMARY, 2) != (REPLICA, 2)
    assert all(again["parts"].values())
    await _the_drill_passes(two)


async def _the_drill_passes(two: _Two) -> None:
    """Hold the region's drill: customers are served from the other region and from the first again, and nothing is lost."""
    before = (await _lab("status"))["regions"]
    await two.failover("drill", "schedule", "apply")
    await two.failover("drill", "schedule", "trigger", "yearly")
    handle = two.client.get_workflow_handle("drill/yearly")
    async with asyncio.timeout(stretched(60)):
        while (status := await status_of(handle)) is None or status.phase is not Phase.AWAITING_APPROVAL:
            await asyncio.sleep(0.2)
    await agreed(handle)
    async with asyncio.timeout(stretched(300)):
        while (status := await status_of(handle)) is None or status.phase not in {Phase.JUDGING, Phase.STRANDED}:
            await asyncio.sleep(0.5)
    assert status.phase is Phase.JUDGING, status.explanation
    await handle.execute_update("judge", {"by": "dana", "passed": True, "notes": "customers were served"})
    ended = await handle.result()
    assert ended["explanation"] == "PASS; dana says PASS; all is as before"
    details = (await facts_of_run(handle)).known.of(DrillDetails)
    print(*(f"{one.name}: {one.seen} ({one.wanted})" for one in details.criteria), sep="\n")
    after = (await _lab("status"))["regions"]
    assert (after["leader"], after["promotions"]) == (PRIMARY, before["promotions"] + 2)
    assert after["customers"]["missing"] == before["customers"]["missing"]
    verified = await two.failover("evidence", "verify")
    assert verified.stdout.startswith("1 records are unchanged"), verified
    print("gaps of the record:", details.record and details.record.gaps)


def _took_little_of_its_own(facts: Facts) -> None:
    """See that it mostly waited for Azure and Kubernetes, its child workflows included."""
    print(*time_lines(facts), sep="\n")
    assert facts.timing.children >= _CHILDREN
    assert facts.timing.own < stretched(_OWN_SECONDS)


async def _without_the_other_api_server_nothing_moves(two: _Two) -> None:
    """Lose it while a plan waits for approval, then the first region's too: customers are served all the time.

    That of the first region stays away.
    """
    handle = await two.start("region-failover", EAST, "--to", WEST, "--confirm", CONFIRM)
    await plan_of(handle)
    assert (await _lab("break", "api-server", WEST))["done"] == "killed the API server of westus2"
    facts = await approved(two.client, handle)
    assert facts.outcome is Outcome.REFUSED, facts.reason
    assert (await _lab("break", "api-server"))["done"] == "killed the API server of eastus"
    status = (await _lab("status"))["regions"]
    assert [part for part, runs in status["parts"].items() if not runs] == [f"{one} API server" for one in (EAST, WEST)]
    assert (status["leader"], status["promotions"], status["customers"]["served_from"]) == (PRIMARY, 0, EAST)
    assert (await _lab("heal", "api-server", WEST))["done"] == "westus2 is back as before"

    before = status["customers"]["refused"]
    assert (await _lab("break", "edge"))["done"] == "ended the public edge"
    await _until("customers refused", lambda customers: customers["refused"] > before)
    assert (await _lab("heal", "edge"))["done"] == "the public edge is back"
    await _until_served_from(EAST)  # at the address that the estate names
