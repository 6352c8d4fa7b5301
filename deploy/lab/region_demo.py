"""``failover lab demo region``: a region is lost under load, three people approve, and the database goes there and back.

Everything is real but Azure's control plane: two PostgreSQL servers on loopback addresses, one following the other, a
virtual endpoint whose DNS name moves, Temporal, two workers as processes. The emulated Azure takes a hundredth of the time
that Azure was seen to take. It needs no Kubernetes, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from temporalio.client import Client

from activities.region.models import FlexiblePlan
from activities.run.models.report import Outcome
from deploy.lab.azure.pair import PRIMARY, REPLICA, ROLE_FILE, AzurePair, running_pair
from deploy.lab.azure.roles import Role
from deploy.lab.packages import ensure_packages
from deploy.lab.ports import free_port
from deploy.lab.region_parts import DATABASE, Temporal, Workers, worker_environment, write_estate
from deploy.lab.region_writer import Writer
from deploy.lab.switching import Handle, ending, plan_of
from starters.client.answers import Output
from starters.client.following import follow
from starters.client.targets import Place
from starters.history.model import Facts
from starters.render.live import display_for
from starters.render.terminal import full
from workflows.region.database import PostgresRegionFailover
from workflows.region.models import flexible_lock_id
from workflows.run.models import TASK_QUEUE, TASK_TIMEOUT, Decision

_NETWORK = "127.0.18"
_OPERATOR, _APPROVERS = "omar", ("mona", "dana", "carl")
_WIDTH = 120


@dataclass(frozen=True)
class _Stage:
    azure: AzurePair
    client: Client
    writer: Writer
    workers: Workers
    console: Console


def region_demo() -> int:
    """Run it; return 0 when both moves were completed and no more was lost than the plan had said."""
    ensure_packages(print)
    began = time.monotonic()
    code = asyncio.run(_all())
    print(f"\nDone in {time.monotonic() - began:.0f} s; nothing is left running.", flush=True)
    return code


async def _all() -> int:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    async with _stage(console) as stage:
        lost = await _there(stage)
        back = await _back(stage)
    return 0 if lost and back else 1


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder where the postgres user can look; it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="failover-region-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "azure").mkdir()
        yield folder


@asynccontextmanager
async def _stage(console: Console) -> AsyncIterator[_Stage]:
    print("Two PostgreSQL servers, an emulated Azure, Temporal and two workers start", flush=True)
    port = free_port(f"{_NETWORK}.21", f"{_NETWORK}.22")
    with _folder() as folder:
        async with (
            running_pair(folder / "azure", _NETWORK, port, roles=[Role.load(ROLE_FILE)]) as azure,
            Temporal(folder) as temporal,
        ):
            await azure.provide_operator()
            estate = write_estate(folder, azure)
            told = worker_environment(folder, estate, azure, temporal.address)
            async with Workers(folder, told) as workers, Writer(azure) as writer:
                print(f"Temporal's page: http://{temporal.page}", flush=True)
                yield _Stage(azure, temporal.client, writer, workers, console)


async def _there(stage: _Stage) -> bool:
    """Lose the first region, and go to the other one."""
    await asyncio.sleep(2)
    _say(f"East US is lost: {PRIMARY} is killed. {_OPERATOR} asks for {REPLICA}; Manager, DBA and CTO must approve")
    since = datetime.now(UTC)
    await asyncio.to_thread(stage.azure.servers.kill, PRIMARY)
    facts = await _moved(stage, mode="forced", to=REPLICA, down_since=since.isoformat(), reason="East US does not answer")
    missing = await stage.writer.missing()
    plan = facts.known.plan
    said = plan.missing_seconds if isinstance(plan, FlexiblePlan) else 0.0
    print(
        f"\nThe plan said: commits of at most {said:.1f} s may be missing. Of {stage.writer.acknowledged} acknowledged rows"
        f" {missing.rows} are missing, acknowledged within {missing.seconds:.1f} s.",
        flush=True,
    )
    return facts.outcome is Outcome.COMPLETED and missing.seconds <= said


async def _back(stage: _Stage) -> bool:
    """Let the first region return as a replica, and go back without loss."""
    _say(f"East US returns: {PRIMARY} starts, as a replica of {REPLICA}. A planned failover goes back")
    await stage.azure.servers.heal(PRIMARY)
    await stage.writer.forget_missing()
    await asyncio.sleep(1)
    facts = await _moved(stage, mode="planned", to=PRIMARY, reason="East US is back")
    await asyncio.sleep(1)
    missing = await stage.writer.missing()
    print(f"\nOn the way back {missing.rows} acknowledged rows were lost.", flush=True)
    return facts.outcome is Outcome.COMPLETED and missing.rows == 0


async def _moved(stage: _Stage, **request: str) -> Facts:
    asked = {"database": DATABASE, "run": "real", "by": _OPERATOR, **request}
    lock = flexible_lock_id(DATABASE)
    handle: Handle = await stage.client.start_workflow(
        "postgres-region-failover", asked, id=lock, task_queue=TASK_QUEUE, task_timeout=TASK_TIMEOUT
    )
    place = Place(workflow_id=handle.id, run_id=handle.result_run_id or "")
    watching = asyncio.create_task(follow(stage.client, place, display_for(Output.TEXT)))
    if request["mode"] == "forced":
        await _approve(handle)
        stage.workers.kill_one()
        _say("One of the two workers is killed (kill -9); the other one goes on")
    facts = await ending(handle)
    with suppress(asyncio.CancelledError):
        await watching
    stage.console.print(full(facts))
    return facts


async def _approve(handle: Handle) -> None:
    plan = await plan_of(handle)
    for person in _APPROVERS:
        await asyncio.sleep(1)
        await handle.execute_update(PostgresRegionFailover.decide, Decision(by=person, plan=plan.digest, approve=True))
        print(f"          {person} approves", flush=True)


def _say(text: str) -> None:
    print(f"\n{text}", flush=True)
