"""What ``/v1/status`` answers of a sample, and when the pod counts as ready."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from gate.api import GateStatus, Role, ServerFacts, ServerState
from gate.loop.state import State
from gate.loop.status import Status
from gate.postgres.controldata import ControlData, ControlFile
from gate.record import Intent, Mode
from tests.gate.parts import sample, settings
from tests.postgres.samples import A, B, record

CONTROL = ControlData("shut down", "73", timeline=2, checkpoint_lsn="0/2000028", segment_bytes=1 << 24, next_xid=740)
LEADS = ServerFacts(role=Role.PRIMARY, timeline=3, next_xid=800, current_lsn="0/3000000")
STREAMS = ServerFacts(role=Role.STANDBY, upstream=B)
CLAIMED = record(intent=Intent(candidate=B, mode=Mode.PLANNED, run="test/1"))


def _drawn(folder: Path, **changes: Any) -> GateStatus:
    given = settings(folder)
    return Status(given, ControlFile(given)).draw(sample(**{"control": CONTROL, **changes}))


def test_a_server_that_runs_speaks_for_itself_and_the_files_fill_in_the_rest(tmp_path: Path) -> None:
    shown = _drawn(tmp_path, facts=LEADS, doing="runs as primary", sessions=7)
    assert (shown.role, shown.timeline, shown.next_xid, shown.system_identifier) == (Role.PRIMARY, 3, 800, "73")
    assert (shown.doing, shown.control_state, shown.sessions_ended) == ("runs as primary", "shut down", None)


def test_of_a_stopped_server_nothing_is_shown_that_it_said_when_it_ran(tmp_path: Path) -> None:
    shown = _drawn(tmp_path, facts=LEADS, sessions=7, server=ServerState.STOPPED, standby_signal=False)
    assert (shown.role, shown.current_lsn, shown.timeline, shown.next_xid) == (None, None, 2, 740)
    assert (shown.sessions_ended, shown.untouched, shown.ready) == (7, True, False)


@pytest.mark.parametrize("changes", [{"empty": True}, {"standby_signal": True}, {"half_rewound": True}])
def test_a_directory_that_is_not_as_it_was_left_is_not_untouched(tmp_path: Path, changes: dict[str, Any]) -> None:
    stopped = {"server": ServerState.STOPPED, "standby_signal": False}
    assert not _drawn(tmp_path, **stopped | changes).untouched


def test_what_was_promised_on_disk_is_told(tmp_path: Path) -> None:
    state = State(epoch=9, fenced_at=8, promoted_at=7, promoted_xid=6)
    shown = _drawn(tmp_path, state=state, heard={B: 0.1}, asked={B: 0.2})
    assert (shown.member, shown.epoch, shown.fenced_at_epoch) == (A, 9, 8)
    assert (shown.promoted_at_epoch, shown.promoted_xid, shown.heard, shown.asked) == (7, 6, {B: 0.1}, {B: 0.2})


def test_readiness_keeps_its_value_while_a_switch_is_under_way(tmp_path: Path) -> None:
    given = settings(tmp_path)
    one = Status(given, ControlFile(given))
    assert one.ready(sample(STREAMS))
    assert not one.ready(sample(LEADS, closed=True))
    assert not one.ready(sample(LEADS, record=CLAIMED))
    assert one.ready(sample(LEADS))
    assert one.ready(sample(ServerFacts(), record=CLAIMED))
    assert not one.ready(sample(LEADS, server=ServerState.STARTING))


def test_a_server_that_takes_its_time_keeps_its_place_for_a_while(tmp_path: Path) -> None:
    given = settings(tmp_path)
    one = Status(given, ControlFile(given))
    late: dict[str, Any] = {"facts": ServerFacts(unanswered="late"), "server": ServerState.STARTING}
    assert not one.ready(sample(**late, silent_seconds=3.0)), "it was not ready before"
    assert one.ready(sample(LEADS))
    assert one.ready(sample(**late, silent_seconds=3.0))
    assert not one.ready(sample(**late, silent_seconds=3.0, frozen=True))
    assert one.ready(sample(LEADS))
    assert not one.ready(sample(**late, silent_seconds=3.0, closed=True))
    assert one.ready(sample(LEADS))
    assert not one.ready(sample(**late, silent_seconds=11.0))
    assert one.ready(sample(LEADS))
    assert not one.ready(sample(ServerFacts(), server=ServerState.STARTING, silent_seconds=0.1)), "it was started anew"


def test_what_weakened_commits_is_told_of_a_stopped_server_too(tmp_path: Path) -> None:
    weak = ("role app: synchronous_commit=false",)
    stopped = _drawn(tmp_path, facts=LEADS, weak=weak, server=ServerState.STOPPED, standby_signal=False)
    assert stopped.weak_commit_settings == weak


async def test_sizes_are_measured_in_the_background(tmp_path: Path) -> None:
    given = settings(tmp_path)
    (given.data / "base").write_bytes(b"x" * 1000)
    (given.data / "pg_wal" / f"{3:08X}{0:08X}{2:08X}").touch()
    control = ControlFile(given)
    control.last = CONTROL
    one = Status(given, control)
    task = asyncio.create_task(one.measure())
    try:
        async with asyncio.timeout(10):
            while (shown := one.draw(sample())).oldest_wal is None:
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert (shown.data_bytes, shown.oldest_wal) == (1000, "0/2000000")
