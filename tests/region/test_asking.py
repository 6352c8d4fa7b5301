"""How Azure is asked: again where it is busy for a moment, not before the time it names, and each look on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.asking import patiently
from activities.clients.ports import BusyError, UnreachableError
from activities.region.changing import ServerActivities
from activities.region.models import READY, AzureFact, EndpointFact, FlexibleSqlFact, PromoteOrder, Role
from activities.region.promotion import PromotionActivities
from activities.region.returning_models import Goal, ServerOrder
from activities.run.models.diagnosis import Silence
from activities.run.models.wire import RunId
from gate.record import Mode
from tests.properties.clock import JumpingLoop
from tests.region.samples import NEW, OLD, TARGET

T = TypeVar("T")
_POLL = timedelta(seconds=2)
_SILENT = UnreachableError("silent")
_RUN = RunId(workflow_id="flexible/aiagent-db", run_id="1")


def _busy(seconds: int | None) -> BusyError:
    return BusyError("busy", None if seconds is None else timedelta(seconds=seconds))


def _waited(asking: Coroutine[Any, Any, T]) -> T:
    loop = JumpingLoop()
    try:
        return loop.run_until_complete(asking)
    finally:
        loop.end_all_tasks()
        loop.close()


class _Azure:
    """Answers a question with ``wrong``, one after the other and again from the first; ``None``: as it is."""

    poll = _POLL

    def __init__(self, *wrong: Exception | None) -> None:
        self._wrong, self.asked, self.promoted = wrong, list[float](), 0

    async def ask(self) -> int:
        wrong = self._wrong[len(self.asked) % len(self._wrong)]
        self.asked.append(asyncio.get_running_loop().time())
        if wrong is not None:
            raise wrong
        return 7

    async def server(self, _: object, server: str) -> AzureFact:
        await self.ask()
        return AzureFact(name=server, role=Role.REPLICA, state=READY, source=OLD)

    async def endpoint_members(self, *_: object) -> tuple[str, ...]:
        return (NEW, OLD)

    async def promote(self, *_: object) -> str:
        self.promoted += 1
        return "/an/operation"


class _Sql:
    """Nobody answers."""

    async def facts(self, *_: object) -> FlexibleSqlFact:
        raise UnreachableError("no route")

    async def endpoint(self, _: object) -> EndpointFact:
        return EndpointFact(error="no route")


@pytest.mark.parametrize(
    ("wrong", "asked"),
    [
        ((_SILENT, None), [0, 2]),
        ((_busy(None), None), [0, 2]),
        ((_busy(1), None), [0, 2]),
        ((_busy(5), None), [0, 5]),
        ((_busy(5), _SILENT, _busy(3), None), [0, 5, 7, 10]),
    ],
)
def test_azure_is_not_asked_again_before_the_time_that_it_names(
    wrong: tuple[Exception | None, ...], asked: list[int]
) -> None:
    azure = _Azure(*wrong)
    assert _waited(patiently(azure.ask, _POLL)) == 7
    assert azure.asked == pytest.approx(asked)


def test_a_time_that_is_too_late_is_not_waited_for() -> None:
    azure = _Azure(_busy(15))
    with pytest.raises(BusyError):
        _waited(patiently(azure.ask, _POLL, seconds=15))
    assert azure.asked == [0]


def test_it_is_asked_four_times() -> None:
    azure = _Azure(_SILENT)
    with pytest.raises(UnreachableError, match=r"^silent$"):
        _waited(patiently(azure.ask, _POLL))
    assert azure.asked == pytest.approx([0, 2, 4, 6])


@pytest.mark.parametrize("wrong", [_busy(1), _SILENT])
def test_a_promotion_is_asked_for_though_every_other_look_before_it_meets_nothing(wrong: Exception) -> None:
    azure, step = _Azure(wrong, None), ActivityEnvironment()
    order = PromoteOrder(target=TARGET, server=NEW, old=OLD, mode=Mode.PLANNED, run=_RUN, again=True)
    begun = _waited(step.run(PromotionActivities(azure, _Sql()).promote, order))  # type: ignore[arg-type]
    assert (begun.busy, begun.operation, azure.promoted, len(azure.asked)) == ("", "/an/operation", 1, 12)


def test_a_server_s_state_is_looked_for_though_every_other_look_meets_nothing() -> None:
    azure, step = _Azure(_SILENT, None), ActivityEnvironment()
    step.info = replace(step.info, attempt=2)
    order = ServerOrder(target=TARGET, server=OLD, leader=NEW, goal=Goal.STOPPED, run=_RUN)
    asked = _waited(step.run(ServerActivities(azure, _Sql()).change, order))  # type: ignore[arg-type]
    assert "no route" in asked.refused, "every look has passed, and the survey is what tells"


class _Back(_Sql):
    """The old primary answers; ``writes``: it takes writes."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes

    async def facts(self, *_: object) -> FlexibleSqlFact:
        return FlexibleSqlFact(name=OLD, in_recovery=not self._writes)


class _Full(_Sql):
    async def facts(self, *_: object) -> FlexibleSqlFact:
        raise UnreachableError("too many clients", Silence.NO_ROOM)


@pytest.mark.parametrize(
    ("sql", "seconds", "attempt", "promoted"),
    [
        (_Back(writes=True), 60, 1, 0),
        (_Back(writes=True), 1, 2, 0),
        (_Full(), 60, 1, 0),
        (_Back(writes=True), 1, 1, 1),
        (_Back(writes=True), None, 2, 1),
        (_Back(writes=False), 60, 1, 1),
        (_Sql(), 60, 2, 1),
    ],
    ids=["late", "tried again", "no room", "just seen", "attested", "a replica by now", "silent still"],
)
def test_nothing_is_promoted_over_a_primary_that_was_silent_and_is_back(
    sql: _Sql, seconds: float | None, attempt: int, promoted: int
) -> None:
    azure, step = _Azure(None), ActivityEnvironment()
    step.info = replace(step.info, attempt=attempt)
    silent_at = None if seconds is None else datetime.now(UTC) - timedelta(seconds=seconds)
    order = PromoteOrder(target=TARGET, server=NEW, old=OLD, mode=Mode.FORCED, run=_RUN, silent_at=silent_at)
    promotion = step.run(PromotionActivities(azure, sql).promote, order)  # type: ignore[arg-type]
    if promoted:
        _waited(promotion)
    else:
        with pytest.raises(ApplicationError, match=f"{OLD} was silent and answers again: nothing was promoted"):
            _waited(promotion)
    assert azure.promoted == promoted
