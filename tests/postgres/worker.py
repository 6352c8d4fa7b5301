"""A worker whose steps act on an in-memory world, and go wrong when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from activities.clients.notifier import AppriseSender
from activities.clients.signatures import judge
from activities.detection.steps import WatchActivities
from activities.doctor.looks import Doctors, SubjectLook
from activities.drills.calendar import CalendarActivities
from activities.drills.evidence import EvidenceActivities
from activities.drills.lever import LeverActivities
from activities.drills.steps import DrillActivities
from activities.notices.steps import NoticesActivities
from activities.postgres.adopt import AdoptActivities
from activities.postgres.claim import ClaimActivities
from activities.postgres.fencing import ProveActivities
from activities.postgres.kept import KeptActivities
from activities.postgres.measure import MeasureActivities
from activities.postgres.pause import PauseActivities
from activities.postgres.post_promotion import AftermathActivities
from activities.postgres.preview import PreviewActivities
from activities.postgres.repair import RepairActivities
from activities.postgres.survey import SurveyActivities
from activities.postgres.transfer import SwitchActivities
from activities.postgres.undo import UndoActivities
from activities.readiness.steps import ReadinessActivities
from activities.run.checks import ChecklistActivities
from activities.run.declare import steps_of
from activities.run.doctor import DoctorActivities
from activities.run.heartbeat import Heartbeat
from activities.run.inventory import EstateActivities, Inventory
from activities.run.own_targets import OwnTargets
from activities.run.parents import ParentActivities
from activities.run.people import PeopleActivities
from activities.run.records import RecordsActivities
from tests.fakes.clients import NoMachines, systems_of
from tests.fakes.faults import Faults
from tests.fakes.world import World
from workflows.catalog import RUNNER, workflows

WITHOUT_BEAT = "without heartbeat: "
"""Prefix of a step's name: the fault strikes outside the heartbeat, as on a worker that is frozen as a whole."""


class FaultyStep(Interceptor):
    """Lets a whole step go wrong, by its registered name."""

    def __init__(self, faults: Faults, prefix: str = "") -> None:
        self._faults, self._prefix = faults, prefix

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - SDK's name
        return _Around(next, self._faults, self._prefix)


class _Around(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, faults: Faults, prefix: str) -> None:
        super().__init__(following)
        self._faults, self._prefix = faults, prefix

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - SDK's name
        async with self._faults.around(self._prefix + activity.info().activity_type):
            return await super().execute_activity(input)


def make_worker(client: Client, queue: str, world: World, inventory: Inventory, **options: Any) -> Worker:
    """Return a worker whose steps act on ``world``."""
    return worker_of(client, queue, steps_for(world, inventory), inventory, world.faults, **options)


class NoNodes:
    """A cluster without nodes."""

    async def nodes(self, region: Any) -> tuple[Any, ...]:  # noqa: ARG002
        return ()


_NO_AZURE = Doctors(*[cast("Any", None)] * 4)


def worker_of(
    client: Client, queue: str, steps: list[Callable[..., Any]], inventory: Inventory, faults: Faults, **options: Any
) -> Worker:
    """Return a worker that serves every workflow with ``steps``, which go wrong as ``faults`` says.

    ``others``: workflows besides; one of a procedure's name stands for it.
    """
    others: tuple[type, ...] = options.pop("others", ())
    stood_for = set(map(_name_of, others))
    return Worker(
        client,
        task_queue=queue,
        workflows=[*(one for one in workflows() if _name_of(one) not in stood_for), *others],
        workflow_runner=RUNNER,
        activities=steps,
        interceptors=[FaultyStep(faults, WITHOUT_BEAT), Heartbeat(), OwnTargets(inventory), FaultyStep(faults)],
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=0.3),
        max_heartbeat_throttle_interval=timedelta(seconds=0.2),
        **options,
    )


def _name_of(one: type) -> str:
    return str(workflow._Definition.must_from_class(one).name)


def steps_for(world: World, inventory: Inventory, machines: Any = None) -> list[Callable[..., Any]]:
    """Return every step, acting on ``world``; ``machines`` speak of those under its pods."""
    systems, nobody = systems_of(world), cast("Any", None)
    with_systems = (
        SurveyActivities, PreviewActivities, ClaimActivities, SwitchActivities, UndoActivities, AftermathActivities,
        MeasureActivities, PauseActivities, KeptActivities, AdoptActivities, RepairActivities,
    )  # fmt: skip
    owners: list[Any] = [kind(systems) for kind in with_systems]
    owners += [ProveActivities(systems, machines or NoMachines())]
    owners += [DoctorActivities(inventory, SubjectLook(systems, nobody, nobody, nobody, _NO_AZURE))]
    owners += [EstateActivities(inventory), RecordsActivities(inventory), WatchActivities(inventory), ParentActivities()]
    owners += [PeopleActivities(inventory, judge), ReadinessActivities(inventory, nobody)]
    owners += [NoticesActivities(inventory, AppriseSender()), ChecklistActivities(world.looks)]
    owners += [
        DrillActivities(cast("Any", SimpleNamespace(systems=systems, nodes=NoNodes()))),
        LeverActivities(),
        CalendarActivities(inventory),
        EvidenceActivities(inventory),
    ]
    return [method for owner in owners for method in steps_of(owner)]
