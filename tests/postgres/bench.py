"""One cluster, one worker, one real server: what every test of a workflow starts from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError

from activities.postgres.models.plan import PostgresPlan
from activities.run.inventory import Inventory
from activities.run.models.wire import read
from activities.run.signing import Signatures
from tests.fakes.world import World
from tests.postgres.worker import make_worker
from workflows.run.models import TASK_QUEUE, Status
from workflows.run.outcome import Summary

_LONGEST = timedelta(seconds=90)
UNHURRIED = {"quiet": "PT0.05S", "outage_budget": "PT60S"}
"""A switch that is interrupted on a busy machine takes its time; what the budget does has tests of its own."""
Handle = WorkflowHandle[Any, Any]


@dataclass
class Bench:
    """A cluster called ``cluster`` in ``world``, and a worker that serves it."""

    client: Client
    world: World
    estate: Path
    cluster: str
    queue: str
    started: list[Handle] = field(default_factory=list)
    signatures: Signatures | None = None
    """What its workers sign with."""

    @property
    def lock(self) -> str:
        """The workflow ID that changes the cluster."""
        return f"postgres/{self.cluster}"

    def start_worker(self, **options: Any) -> None:
        """Let a new worker serve the cluster."""
        self.inventory = Inventory(self.estate, self.signatures)
        self._worker = make_worker(self.client, self.queue, self.world, self.inventory, **options)
        self._working = asyncio.create_task(self._worker.run())

    async def stop_worker(self) -> None:
        """Let the worker go; what it was doing is given back."""
        await self._worker.shutdown()
        await self._working

    async def start(self, *args: Any, workflow: str = "postgres-failover", id: str | None = None) -> Handle:  # noqa: A002
        """Start a workflow with exactly ``args``."""
        handle: Handle = await self.client.start_workflow(
            workflow, args=args, id=id or self.lock, task_queue=self.queue, execution_timeout=_LONGEST
        )
        self.started.append(handle)
        return handle

    async def switch(self, run: str = "real", **more: Any) -> Handle:
        """Start a planned switch."""
        id_ = f"plan/{self.lock}" if run == "plan" else self.lock
        request = {"cluster": self.cluster, "mode": "planned", "run": run, "by": "omar", "reason": "a test", **more}
        return await self.start(request, id=id_)

    async def force(self, **more: Any) -> Handle:
        """Start a forced failover by somebody who says that the old primary is stopped."""
        return await self.switch(mode="forced", attest=True, **more)

    async def finished(self, handle: Handle) -> Summary:
        """Wait for a run that ends well."""
        return read(Summary, await handle.result())

    async def refused(self, handle: Handle) -> ApplicationError:
        """Wait for a run that fails; return its refusal, which is one sentence."""
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        cause = caught.value.cause
        assert isinstance(cause, ApplicationError), cause
        assert cause.non_retryable
        assert "\n" not in cause.message
        return cause

    async def ending(self, handle: Handle) -> str:
        """Wait for the end, whatever it is; return ``completed``, ``cancelled`` or the refusal's type."""
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            if isinstance(failure.cause, CancelledError):
                return "cancelled"
            return str(failure.cause.type if isinstance(failure.cause, ApplicationError) else failure.cause)
        return "completed"

    async def status(self, handle: Handle) -> Status:
        """Ask the run how it stands."""
        answer = await handle.query("status")
        status = read(Status, answer)
        return status.model_copy(update={"plan": read(PostgresPlan, answer["plan"])}) if status.plan else status

    async def plan(self, handle: Handle) -> PostgresPlan:
        """Ask the run for its plan."""
        plan = (await self.status(handle)).plan
        assert isinstance(plan, PostgresPlan)
        return plan

    async def until(self, holds: Callable[[], Awaitable[bool] | bool], seconds: float = 40) -> None:
        """Wait until ``holds`` does."""
        async with asyncio.timeout(seconds):
            while True:
                answer = holds()
                if isinstance(answer, bool):
                    held, pause = answer, 0.02
                else:
                    held, pause = await answer, 0.1  # a question costs the server as much as a step
                if held:
                    return
                await asyncio.sleep(pause)

    async def until_phase(self, handle: Handle, phase: str, seconds: float = 40) -> Status:
        """Wait until the run is in ``phase``."""
        await self.until(lambda: self._is_in(handle, phase), seconds)
        return await self.status(handle)

    async def _is_in(self, handle: Handle, phase: str) -> bool:
        return (await self.status(handle)).phase == phase

    async def until_consistent(self) -> None:
        """Wait until one server takes writes, the record says so and nothing unfinished is left; say what is not so."""
        try:
            await self.until(lambda: not self.flaws)
        except TimeoutError:
            pytest.fail(f"the cluster is not consistent: {self.flaws}; record {self.world.record}")

    @property
    def flaws(self) -> list[str]:
        """What is wrong with the cluster."""
        return flaws_of(self.world)


def flaws_of(world: World) -> list[str]:
    """Return what is wrong with a cluster that nothing goes on in."""
    record = world.record
    followers = [one.name for one in world.standbys_of(world.members[record.leader])]
    checks = {
        f"{world.writers} take writes, the record names {record.leader}": world.writers == [record.leader],
        f"the selector names {record.selector}": record.selector == record.leader,
        f"intent {record.intent}": record.intent is None,
        f"unfinished {record.unfinished}": not record.unfinished,
        f"followers {followers}": len(followers) == len(world.members) - 1,
        f"sync {record.sync}": bool(record.sync_members),
        "fenced": all(one.state.fenced_at is None for one in world.members.values()),
    }
    return [flaw for flaw, holds in checks.items() if not holds]


def write_estate(path: Path, cluster: str, **changes: Any) -> None:
    """Write an estate with one cluster; ``changes`` replace keys of it."""
    people = changes.pop("people", {"dana": ["DBA"], "mona": ["Manager"], "omar": ["DBA"]})
    records = changes.pop("records", str(path.parent / "records"))
    drills, checklists = changes.pop("drills", None), changes.pop("checklists", None)
    witnesses, signers = changes.pop("witnesses", []), changes.pop("signers", {})
    entry = {
        "region": "eastus", "database": "aiagent_prod", "members": ["postgresql-primary-0", "postgresql-standby-0"],
        "write_service": "postgresql-primary", "gate": {"token": "env:GATE_TOKEN"},
        "login": {"password": "env:OPERATOR_PASSWORD"},
        "applications": [{"deployment": "api-deployment", "ready_within": "PT2S"}],
        "thresholds": UNHURRIED, **changes,
    }  # fmt: skip
    content = {
        "regions": {"eastus": {"location": "East US", "namespace": "aiagent-prod"}},
        "postgres": {cluster: entry},
        "people": people,
        "signers": signers,
        "witnesses": witnesses,
        "records": records,
        **({"drills": drills} if drills else {}),
        **({"checklists": checklists} if checklists else {}),
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


async def end_all(handles: list[Handle]) -> None:
    """End what is open."""
    for handle in handles:
        with contextlib.suppress(RPCError):  # it has ended by itself
            await handle.terminate("the test is over")


@asynccontextmanager
async def serving(client: Client, folder: Path, world: World, *, live: bool = True, **estate: Any) -> AsyncIterator[Bench]:
    """Serve ``world`` until the block ends; then its invariants must have held. ``live``: its gates act by themselves.

    ``named``: the cluster is called so and the task queue as usual; for a server that nobody else uses.
    """
    named = estate.pop("named", "")
    cluster = named or f"orders-{uuid4().hex[:8]}"
    path = folder / "estate.yaml"
    write_estate(path, cluster, **{"members": list(world.members), **estate})
    bench = Bench(client, world, path, cluster, queue=TASK_QUEUE if named else f"queue-{cluster}")
    async with world.living() if live else nullcontext():
        bench.start_worker()
        try:
            yield bench
        finally:
            world.faults.release()
            await end_all(bench.started)
            await bench.stop_worker()
    assert world.violations == [], world.violations
    leader = world.members.get(world.record.leader) if world.readable else None
    assert leader is None or not leader.rows or world.acknowledged <= leader.rows, "acknowledged rows are lost"
