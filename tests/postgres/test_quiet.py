from __future__ import annotations

import dataclasses
import itertools

import pytest

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.transfer import Switch
from activities.postgres.transfer import SwitchActivities
from activities.run.models.wire import RunId
from estate.base import Region
from estate.postgres import Thresholds
from gate.record import Mode
from tests.fakes.clients import FakeKubernetes, systems_of
from tests.fakes.world import World
from tests.postgres import samples


class _Busy(FakeKubernetes):
    """Its endpoints change with each of the first ``changes`` looks."""

    def __init__(self, changes: int) -> None:
        super().__init__(World())
        self._changes = changes
        self._versions = itertools.chain(range(changes), itertools.repeat(changes))

    async def endpoints_version(self, region: Region) -> str | None:  # noqa: ARG002
        return str(next(self._versions))


class _Leaving(_Busy):
    """An endpoint terminates during the first ``changes`` looks."""

    async def endpoints_version(self, region: Region) -> str | None:  # noqa: ARG002
        left = next(self._versions)
        return None if left < self._changes else "gone"


async def _wait(changes: int, kind: type[_Busy] = _Busy) -> tuple[bool, float]:
    target = samples.target()
    limits = Thresholds.model_validate({"quiet": "PT0.3S"})
    target = target.model_copy(update={"cluster": target.cluster.model_copy(update={"thresholds": limits})})
    plan = PostgresPlan(
        cluster="orders", mode=Mode.PLANNED, primary="a", candidate="b", epoch=1, timeline=1, system_identifier="1",
        sync="b", digest="0",
    )  # fmt: skip
    switch = Switch(target=target, plan=plan, epoch=2, run=RunId(workflow_id="postgres/orders", run_id="1"))
    kubernetes = kind(changes)
    steps = SwitchActivities(dataclasses.replace(systems_of(kubernetes.world), kubernetes=kubernetes))
    answer = await steps.await_quiet(switch)
    return answer.reached, answer.seconds


async def test_still_endpoints_are_waited_for_just_once() -> None:
    reached, seconds = await _wait(changes=0)
    assert reached
    assert 0.3 <= seconds < 1


async def test_each_change_starts_the_wait_anew() -> None:
    reached, seconds = await _wait(changes=5)
    assert reached
    assert seconds >= 0.7


async def test_an_endpoint_that_terminates_is_waited_for() -> None:
    reached, seconds = await _wait(changes=5, kind=_Leaving)
    assert reached
    assert seconds >= 0.7


async def test_endpoints_that_never_stand_still_do_not_hold_up_a_switch_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.postgres.transfer._QUIET_AT_MOST_SECONDS", 0.5)
    reached, seconds = await _wait(changes=1000)
    assert not reached
    assert seconds < 2
