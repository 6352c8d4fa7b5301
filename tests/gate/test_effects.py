"""In which order the loop carries out what its parts want, and what it leaves alone when the first thing fails."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from gate.api import Role
from gate.lease.kube import ConflictError
from gate.loop.loop import Loop
from gate.loop.replication_recovery import Recovery
from gate.loop.state import Store
from gate.postgres.synchronous import Change
from tests.gate.parts import Log
from tests.postgres.samples import B, leader, record

if TYPE_CHECKING:
    from gate.loop.core import Gate
    from gate.record import Record


class Hands:
    """Notes what is done to record, server and directory, in order."""

    def __init__(self, folder: Path) -> None:
        self.done, self.log, self.say, self.store = list[str](), Log(), Log(), Store(folder)
        self.api = self.serving = self.synchronous = self.server = self.recovery = self.work = self
        self.fails: Exception | None = None
        self.stops = True
        self.lease_is_later = False
        self.loop = Loop(cast("Gate", self))

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.done.append(name)

    async def write(self, wanted: Record) -> Record:
        if self.fails is not None:
            raise self.fails
        self.done.append("write")
        return wanted

    async def renew(self, _: Record) -> None:
        self.done.append("renew")
        if self.lease_is_later:
            raise ConflictError("a later epoch has been written")

    async def label(self, role: str) -> None:
        if self.fails is not None:
            raise self.fails
        self.done.append(role)

    async def stop(self, *, within: float) -> bool:
        self.done.append(f"stop in {within:g}")
        return self.stops


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path)


async def test_the_record_is_written_before_the_server_waits_for_fewer(hands: Hands) -> None:
    await hands.loop._change(Change(record(epoch=6), (), "NOT REDUNDANT"), record())
    assert hands.done == ["renew", "write", "wait_for", "carried_out"]
    assert (hands.store.state.epoch, hands.log) == (6, ["NOT REDUNDANT"])


async def test_a_conflict_leaves_server_and_epoch_as_they_were(hands: Hands) -> None:
    hands.fails = ConflictError("somebody wrote in between")
    with pytest.raises(ConflictError):
        await hands.loop._change(Change(record(epoch=6), (), "NOT REDUNDANT"), record())
    assert (hands.done, hands.store.state.epoch, hands.log) == (["renew"], 0, [])


async def test_nobody_goes_on_to_a_later_epoch_by_a_record_that_is_older_than_its_lease(hands: Hands) -> None:
    hands.lease_is_later = True
    with pytest.raises(ConflictError):
        await hands.loop._change(Change(record(epoch=6), (), "NOT REDUNDANT"), record())
    assert (hands.done, hands.store.state.epoch) == (["renew"], 0)


async def test_a_promise_for_a_later_epoch_is_kept(hands: Hands) -> None:
    hands.store.write(epoch=9)
    await hands.loop._change(Change(record(epoch=6), (), "NOT REDUNDANT"), record())
    assert hands.store.state.epoch == 9


@pytest.mark.parametrize(("rewinds", "work"), [(True, "rewind"), (False, "copy_anew")])
async def test_a_directory_is_worked_on_only_once_its_server_is_down(hands: Hands, rewinds: bool, work: str) -> None:  # noqa: FBT001
    due = Recovery(leader(member=B), rewinds=rewinds, why="DIVERGED")
    hands.stops = False
    await hands.loop._recover(due, record())
    assert hands.done == ["stop in 30"]
    hands.stops = True
    await hands.loop._recover(due, record())
    assert hands.done == ["stop in 30", "stop in 30", "begun", work, "begin"]


async def test_a_label_that_was_not_written_is_written_at_the_next_turn(hands: Hands) -> None:
    hands.fails = TimeoutError("silent")
    await hands.loop._label(Role.STANDBY, record())
    assert (hands.loop._labelled, hands.log) == (None, ["label not written"])
    hands.fails = None
    await hands.loop._label(Role.STANDBY, record())
    assert hands.loop._labelled == (Role.STANDBY, "pg-a", 5)
