"""Work on a directory: one at a time, with rests that grow, and never without a leader."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from gate.api import GateStatus, Role
from gate.lease.peers import Peers
from gate.lease.vouching import Outside
from gate.loop import rejoin
from gate.loop.situation import Action, Decision
from gate.loop.work import Work
from gate.postgres.controldata import ControlFile
from tests.gate.parts import Log, settings
from tests.postgres.samples import B, leader, record, status

LEADER = leader(member=B)


class Working:
    """Work on the directory of A; what would rewind or copy is only noted."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings, self.log, self.awake, self.done = settings(folder), Log(), asyncio.Event(), list[str]()
        control = ControlFile(self.settings)
        self.work = Work(self.settings, cast("Peers", None), control, self.log, self.awake.set)
        monkeypatch.setattr(rejoin, "rejoin", self._noting("rewind"))
        monkeypatch.setattr(rejoin, "base_backup", self._noting("copy"))
        monkeypatch.setattr(ControlFile, "refresh", self._noting("look"))

    def _noting(self, what: str) -> Any:
        async def note(*_: object) -> None:
            self.done.append(what)

        return note

    async def become_standby(self, action: Action, of: GateStatus | None) -> list[str]:
        outside = Outside(api_answers=True, record=record(leader=B), mirror=None, peers={B: of})
        await self.work.become_standby(Decision(action, "", B), outside, record(leader=B))
        return self.done


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Working:
    return Working(tmp_path, monkeypatch)


async def test_a_former_primary_is_rewound_and_its_control_file_is_read_around_it(one: Working) -> None:
    assert await one.become_standby(Action.REJOIN, LEADER) == ["look", "rewind", "look"]


async def test_an_empty_directory_is_filled_and_one_that_is_there_is_not_touched(one: Working) -> None:
    assert await one.become_standby(Action.BASE_BACKUP, LEADER) == []
    (one.settings.data / "pg_wal").rmdir()
    one.settings.data.rmdir()
    assert await one.become_standby(Action.BASE_BACKUP, LEADER) == ["copy", "look"]


@pytest.mark.parametrize("peer", [None, status(B, role=Role.STANDBY)])
async def test_nothing_is_touched_before_the_leader_leads(one: Working, peer: GateStatus | None) -> None:
    assert await one.become_standby(Action.REJOIN, peer) == []
    assert one.log == [f"waits for {B} to lead before following it"]


async def test_the_loop_is_woken_and_failures_are_followed_by_longer_and_longer_rests(one: Working) -> None:
    async def fail() -> None:
        raise OSError("no space")

    for longer in (2.0, 4.0, 5.0, 5.0):
        one.awake.clear()
        one.work.begin(fail())
        assert one.work.is_going_on
        await one.awake.wait()
        one.work.collect()
        assert (one.work.is_going_on, one.work.rests, one.work._rests_seconds) == (False, True, longer)
    assert one.log[0] == "rejoin failed; tries again: no space"
    one.awake.clear()
    one.work.begin(one.work.copy_anew(LEADER))
    await one.awake.wait()
    one.work.collect()
    assert one.work._rests_seconds == 1.0
