"""The smallest procedure that people can control: three steps, the last of which may be skipped or forced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client

with workflow.unsafe.imports_passed_through():
    from activities.run.declare import step as declared_step
    from activities.run.declare import steps_of
    from activities.run.inventory import EstateActivities, Inventory
    from activities.run.models.control import Control
    from activities.run.models.inventory import ResolveRequest
    from activities.run.models.plan import Plan
    from activities.run.models.report import Details
    from activities.run.models.todo import Todo, todo
    from activities.run.models.wire import Wire, read
    from activities.run.postures import CHANGE
    from estate.base import ApprovalPolicy
    from estate.postgres import PostgresTarget
    from gate.record import Mode
    from tests.fakes.world import World
    from tests.postgres.bench import Bench, Handle, end_all, write_estate
    from tests.postgres.worker import steps_for, worker_of
    from workflows.postgres.models import FailoverRequest
    from workflows.run import outcome
    from workflows.run.control import Leeway
    from workflows.run.controlling import held_back, leave_out, optional_step
    from workflows.run.models import Status
    from workflows.run.phases import Phase
    from workflows.run.procedure import Procedure
    from workflows.run.saga import Saga
    from workflows.run.steps import step

NAME = "shows-run-control"


class Part(Wire):
    name: str


class Parts:
    """What the steps have done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.candidate = "b"

    @declared_step("small.look", CHANGE, lambda _: "look")
    async def look(self, part: Part) -> str:  # noqa: ARG002 - every step is told something
        return self.candidate

    @declared_step("small.claim", CHANGE, lambda _: "claim")
    async def claim(self, part: Part) -> str:
        return self._done(part)

    @declared_step("small.move", CHANGE, lambda _: "move")
    async def move(self, part: Part) -> str:
        return self._done(part)

    @declared_step("small.wait", CHANGE, lambda part: part.name)
    async def wait(self, part: Part) -> str:
        return self._done(part)

    @declared_step("small.undo", CHANGE, lambda _: "undo")
    async def undo(self, part: Part) -> str:
        return self._done(part)

    def _done(self, part: Part) -> str:
        self.done.append(part.name)
        return part.name


@workflow.defn(name=NAME)
class Small(Procedure[FailoverRequest, PostgresTarget, Plan, Details]):
    """Claims, moves (nobody is served meanwhile), and waits."""

    asks, details = FailoverRequest, Details
    leeways = (Leeway("wait", skip="nobody waits", force="one is enough"),)

    @workflow.init
    def __init__(self, *args: Any) -> None:
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:
        return await self.conclude()

    async def resolve(self) -> PostgresTarget:
        return await step(EstateActivities.resolve, ResolveRequest(cluster=self.request.cluster, by=self.asker))

    async def make_plan(self) -> Plan:
        self.state.enter(Phase.SURVEYING)
        candidate = await step(Parts.look, Part(name="look"))
        self.state.plan = plan = Plan(cluster=self.request.cluster, mode=Mode.PLANNED, candidate=candidate).sealed()
        return plan

    @staticmethod
    def policy(target: PostgresTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        return target.cluster.approvals.planned

    async def execute(self, plan: Plan) -> str:  # noqa: ARG002
        state = self.state
        state.control.offer("wait")
        async with Saga(state) as saga:
            saga.on_failure(self._undone, "undo", todo(Todo.OTHER, "undo"))
            state.enter(Phase.CLAIMING)
            await step(Parts.claim, Part(name="claim"))
            state.control.costs = "nobody is served before it has moved"
            await held_back(state)
            state.enter(Phase.MOVING)
            await step(Parts.move, Part(name="move"))
            state.control.costs = ""
            await held_back(state)
            state.enter(Phase.SETTLING)
            await self._waited()
        return "moved"

    async def _undone(self) -> str:
        return await step(Parts.undo, Part(name="undo"))

    async def _waited(self) -> None:
        answer = await optional_step(self.state, "wait", Parts.wait, Part(name="all"), ungraceful=Part(name="one"))
        left = todo(Todo.READY, "all are ready", "small")
        if answer is None:
            leave_out(self.state, Control.SKIP, "wait", left)
        elif answer == "one":
            leave_out(self.state, Control.FORCE, "wait", left)


class ControlBench(Bench):
    """A worker that serves the small procedure too."""

    parts: Parts

    def start_worker(self, **options: Any) -> None:
        """Let a new worker serve it."""
        self.inventory = Inventory(self.estate)
        steps = [*steps_for(self.world, self.inventory), *steps_of(self.parts)]
        self._worker = worker_of(
            self.client, self.queue, steps, self.inventory, self.world.faults, others=(Small,), **options
        )
        self._working = asyncio.create_task(self._worker.run())

    async def status(self, handle: Handle) -> Status:
        """Ask the run how it stands; its plan is no PostgreSQL's."""
        return read(Status, await handle.query("status"))

    def report(self) -> dict[str, Any]:
        """Return the newest kept report."""
        paths = sorted((self.estate.parent / "records").rglob("report.json"), key=lambda path: path.stat().st_mtime)
        kept: dict[str, Any] = json.loads(paths[-1].read_text(encoding="utf-8"))
        return kept

    async def begin(self, run: str = "real") -> Handle:
        """Start the small procedure."""
        request = {"cluster": self.cluster, "mode": "planned", "run": run, "by": "omar", "reason": "a test"}
        return await self.start(request, workflow=NAME, id=f"plan/{self.lock}" if run == "plan" else self.lock)


@asynccontextmanager
async def controlled(client: Client, folder: Path, **estate: Any) -> AsyncIterator[ControlBench]:
    """Serve the small procedure until the block ends."""
    cluster, path = f"orders-{uuid4().hex[:8]}", folder / "estate.yaml"
    write_estate(path, cluster, **estate)
    bench = ControlBench(client, World(), path, cluster, queue=f"queue-{cluster}")
    bench.parts = Parts()
    bench.start_worker()
    try:
        yield bench
    finally:
        bench.world.faults.release()
        await end_all(bench.started)
        await bench.stop_worker()
