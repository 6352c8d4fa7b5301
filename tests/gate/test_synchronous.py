"""In which order record and server change, so that the record's list is true at every moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gate.api import Follower
from gate.postgres.synchronous import Change, Synchronous
from gate.record import NO_SYNC, Record
from tests.gate.parts import settings
from tests.postgres.samples import A, B, C, record


class Leader:
    """A leader's synchronous replication, with a checkpoint that ends when it is told to."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.up_to_date: set[str] = set()
        self.checkpointed = asyncio.Event()
        self.checkpoints = 0
        self.synchronous = Synchronous(settings(folder, **changes), self._checkpoint, self._reached)

    async def _checkpoint(self) -> None:
        self.checkpoints += 1
        await self.checkpointed.wait()

    async def _reached(self) -> set[str]:
        return self.up_to_date

    async def due(self, sync: str, *streaming: str, sync_state: str = "quorum") -> Change | None:
        rows = tuple(Follower(member=name, state="streaming", sync_state=sync_state) for name in streaming)
        return await self.synchronous.tend(record(sync=sync), rows)

    async def let_checkpoint_end(self) -> None:
        self.checkpointed.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _record(change: Change | None) -> Record:
    assert change is not None
    assert change.record is not None
    return change.record


async def test_the_record_lists_standbys_only_once_commits_wait_and_they_have_everything(tmp_path: Path) -> None:
    one = Leader(tmp_path)
    assert await one.due(NO_SYNC, B) == Change(names=(B,))
    one.synchronous.carried_out(Change(names=(B,)))
    assert await one.due(NO_SYNC, B, sync_state="async") is None
    assert one.checkpoints == 0
    assert await one.due(NO_SYNC, B) is None
    assert await one.due(NO_SYNC, B) is None
    await one.let_checkpoint_end()
    assert await one.due(NO_SYNC, B) is None
    one.up_to_date = {B}
    change = await one.due(NO_SYNC, B)
    assert (_record(change).sync, _record(change).epoch, one.checkpoints) == (B, 5, 1)


async def test_a_standby_that_goes_is_waited_for_and_then_the_record_says_so_at_a_new_epoch(tmp_path: Path) -> None:
    one = Leader(tmp_path, standby_timeout=0.05)
    one.synchronous.begin((B,))
    assert await one.due(B) is None
    await asyncio.sleep(0.06)
    change = await one.due(B)
    assert (_record(change).sync, _record(change).epoch) == (NO_SYNC, 6)
    assert change is not None
    assert change.names is not None
    assert one.synchronous.names == (B,), "the server goes on waiting until the record is written"
    one.synchronous.carried_out(change)
    assert not one.synchronous.names


async def test_one_that_comes_back_in_time_changes_nothing(tmp_path: Path) -> None:
    one = Leader(tmp_path, standby_timeout=0.05)
    one.synchronous.begin((B,))
    assert await one.due(B) is None
    assert await one.due(B, B) is None
    await asyncio.sleep(0.06)
    assert await one.due(B) is None


async def test_a_longer_list_is_written_before_the_server_may_use_it(tmp_path: Path) -> None:
    one = Leader(tmp_path, standby_timeout=0.01)
    one.synchronous.begin((B,))
    assert await one.due(B, B, C) is None
    await asyncio.sleep(0.02)
    change = await one.due(B, B, C)
    assert (_record(change).sync, _record(change).epoch) == (f"{B},{C}", 6)


async def test_a_shorter_list_is_the_server_s_before_it_is_the_record_s(tmp_path: Path) -> None:
    one = Leader(tmp_path, standby_timeout=0.01)
    one.synchronous.begin((B, C))
    await one.due(f"{B},{C}", B)
    await asyncio.sleep(0.02)
    assert await one.due(f"{B},{C}", B) == Change(names=(B,))


async def test_strict_durability_never_stops_waiting(tmp_path: Path) -> None:
    one = Leader(tmp_path, durability="strict", standby_timeout=1e-9)
    one.synchronous.begin((B, C))
    assert await one.due(f"{B},{C}") is None
    one.up_to_date = {C}
    change = await one.due(NO_SYNC)
    assert _record(change).sync == f"{B},{C}"


async def test_a_restarted_leader_takes_the_record_s_list_and_whatever_else_streams_is_no_standby(tmp_path: Path) -> None:
    one = Leader(tmp_path)
    assert await one.due(B, B, "archiver") == Change(names=(B,))
    assert await Leader(tmp_path).due(NO_SYNC, "archiver") is None
    one.synchronous.begin((B,))
    assert await one.due(NO_SYNC) == Change(names=())


async def test_one_that_is_connected_and_dead_has_gone_when_it_fell_silent(tmp_path: Path) -> None:
    one = Leader(tmp_path, standby_timeout=2)
    one.synchronous.begin((B,))
    rows = (Follower(member=B, state="streaming", sync_state="quorum"),)
    assert await one.synchronous.tend(record(sync=B), rows, {B: 1.9}) is None
    assert _record(await one.synchronous.tend(record(sync=B), rows, {B: 2.1})).sync == NO_SYNC
    assert await one.synchronous.tend(record(sync=B), rows, {}) is None, "it confirms again"


async def test_a_standby_with_more_than_the_leader_is_none(tmp_path: Path) -> None:
    """It was away when the leader's disk was set back: it confirms at once what it will never have."""
    one = Leader(tmp_path)
    ahead = (Follower(member=B, state="streaming", sync_state="quorum", ahead=True),)
    assert await one.synchronous.tend(record(sync=NO_SYNC), ahead) is None
    change = await one.synchronous.tend(record(sync=B), ahead)
    assert (_record(change).sync, change and change.names) == (NO_SYNC, ())
    strict = Leader(tmp_path, durability="strict")
    assert await strict.synchronous.tend(record(sync=NO_SYNC), ahead) == Change(names=(C,))


async def test_the_list_is_not_left_to_a_standby_that_is_away_when_the_other_is_ahead(tmp_path: Path) -> None:
    """The one that is away has not confirmed what the other has: alone in the record, it would be promoted as lossless."""
    one = Leader(tmp_path, standby_timeout=0.05)
    one.synchronous.begin((B, C))
    ahead = (Follower(member=B, state="streaming", sync_state="async", ahead=True),)
    assert await one.synchronous.tend(record(sync=f"{B},{C}"), ahead) == Change(names=(C,))
    one.synchronous.carried_out(Change(names=(C,)))
    assert await one.synchronous.tend(record(sync=f"{B},{C}"), ahead) is None
    while (change := await one.synchronous.tend(record(sync=f"{B},{C}"), ahead)) is None:
        await asyncio.sleep(0.01)
    assert (_record(change).sync, _record(change).epoch) == (NO_SYNC, 6)


async def test_a_strict_pair_waits_for_nobody_rather_than_for_one_that_is_ahead(tmp_path: Path) -> None:
    strict = Leader(tmp_path, durability="strict", members=(A, B))
    ahead = (Follower(member=B, state="streaming", sync_state="quorum", ahead=True),)
    for sync in (B, NO_SYNC):
        change = await strict.synchronous.tend(record(sync=sync), ahead)
        assert change == Change(names=("nobody",))
    strict.synchronous.carried_out(Change(names=("nobody",)))
    assert await strict.synchronous.tend(record(sync=B), ahead) is None
    copied = (Follower(member=B, state="streaming", sync_state="async"),)
    assert await strict.synchronous.tend(record(sync=B), copied) == Change(names=(B,))
