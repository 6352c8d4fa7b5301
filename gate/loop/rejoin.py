"""Makes a standby of the leader out of what is on this disk, and loses nothing that might be the only copy of a write.

Cheapest first. A server that stopped cleanly at or before the point where the leader's timeline left its own only needs
``standby.signal``. One that wrote past that point keeps that WAL aside and is rewound. Where that fails, its whole
directory is moved aside and a base backup is taken; so it is, without trying, for one whose timeline has been given up.
Nothing that was moved aside is ever removed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gate.api import GateStatus, Tablespace
from gate.lease.peers import Peers
from gate.loop import revert
from gate.loop.ahead import COPYING
from gate.postgres import tablespaces
from gate.postgres.configuration import conninfo, write_configuration
from gate.postgres.controldata import (
    CLEAN_PRIMARY,
    IN_RECOVERY,
    ControlData,
    ProgramError,
    end_of_wal,
    read_control,
    run_program,
    segment_name,
)
from gate.postgres.lsn import parse_lsn
from gate.postgres.own_wal import reaches
from gate.postgres.wal import newest_wal_timeline
from gate.settings import Settings

_SIGNAL = "standby.signal"
_SPARE_BYTES = 64 * 1024 * 1024
Say = Callable[[str], None]


class NotPossibleError(Exception):
    """A rejoin cannot go on; the sentence says what a person can do."""


GOING = ".going"
"""Ends the name of what a person has removed and what is being deleted."""


def kept_folder(settings: Settings) -> Path:
    """Return where things are kept aside."""
    return settings.own / "kept"


def folder_bytes(folder: Path) -> int:
    """Return the bytes in ``folder`` and below; files that vanish meanwhile count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(place) / name).lstat().st_size
    return total


async def rejoin(settings: Settings, peers: Peers, leader: GateStatus, epoch: int, say: Say) -> None:
    """Turn a directory that was a primary's, or a standby's that went another way, into a standby's of ``leader``.

    Raises:
        NotPossibleError: not enough disk, or the leader does not answer.
    """
    try:
        control = await read_control(settings.programs, settings.data)
        if (why := _cannot_be_rewound(settings, control, leader)) is not None:
            say(f"{why}: the directory is kept")
        elif await _was_set_back(settings, control, leader):
            say(f"crashed, and its WAL ends before {leader.member} left its timeline: the directory is kept")
        elif _ends_before_fork(settings, control, leader):
            say("stopped before the fork: no rewind needed")
            (settings.data / _SIGNAL).touch()
            return
        else:
            await peers.checkpoint(leader.member, epoch)
            await asyncio.to_thread(_keep_wal, settings, control, leader, say)
            await _rewind(settings, leader.member, peers.known(leader.member))
            return
    except (ProgramError, OSError) as error:
        say(f"rewind failed, taking a base backup instead: {error}")
    await base_backup(settings, peers, leader, say)


def _cannot_be_rewound(settings: Settings, control: ControlData, leader: GateStatus) -> str | None:
    """Return why pg_rewind must not be tried, or ``None``. It compares timelines by their numbers alone."""
    if revert.half_rewound(settings):
        return "a rewind was cut short"
    if revert.was_cut_short(settings, control):
        return "a promotion was cut short"
    if is_given_up(control.timeline, leader):
        return f"timeline {control.timeline} is not {leader.member}'s"
    stood_by, newest = (settings.data / _SIGNAL).exists(), newest_wal_timeline(settings.data)
    if stood_by and newest is not None and newest > control.timeline:
        return f"it has WAL of timeline {newest}, and its last checkpoint was on {control.timeline}"
    if control.timeline == leader.timeline:
        return f"it was a primary on {leader.member}'s own timeline {leader.timeline}"
    return None


def lack_of_space(settings: Settings, leader: GateStatus) -> str | None:
    """Return what a base backup from ``leader`` lacks, or ``None``; what is left of one that was cut short goes first."""
    shutil.rmtree(_fresh(settings), ignore_errors=True)
    outside = _outside(leader)
    tablespaces.clear_cut_short(outside, directories(settings))
    for path, needed in tablespaces.room_needed(outside, settings.directory, leader.data_bytes or 0).items():
        free = shutil.disk_usage(path).free
        if free < needed + _SPARE_BYTES:
            return f"needs {needed + _SPARE_BYTES} bytes at {path}, {free} are free"
    return None


def directories(settings: Settings) -> list[Path]:
    """Return this member's data directory and all that are kept aside."""
    return [settings.data, *(path for path in kept_folder(settings).glob("pgdata-*") if path.is_dir())]


def _fresh(settings: Settings) -> Path:
    return settings.directory / "pgdata.new"


def _outside(leader: GateStatus) -> tuple[Tablespace, ...]:
    return leader.contents.outside if leader.contents else ()


async def base_backup(settings: Settings, peers: Peers, leader: GateStatus, say: Say) -> None:
    """Copy ``leader`` into a fresh directory; what was there before is moved aside first.

    Raises:
        NotPossibleError: not enough disk.
    """
    if (lack := await asyncio.to_thread(lack_of_space, settings, leader)) is not None:
        raise NotPossibleError(f"a base backup {lack}: enlarge the volume or clear space")
    fresh, stamp = _fresh(settings), _stamp()
    address = peers.known(leader.member)
    write_configuration(settings, leader=leader.member, sync=(), address=address)
    say(f"base backup from {leader.member}")
    await run_program(
        str(settings.programs / "pg_basebackup"), "-D", str(fresh),
        "-d", conninfo(settings, leader.member, address, name=COPYING),
        "-X", "stream", "-c", "fast", "--no-password", *tablespaces.mapped(_outside(leader), stamp),
    )  # fmt: skip
    (fresh / _SIGNAL).touch()
    if settings.data.exists():
        aside = kept_folder(settings) / f"pgdata-{stamp}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        settings.data.rename(aside)
        say(f"old directory kept at {aside}")
    fresh.rename(settings.data)
    revert.unmark_rewind(settings)


async def _was_set_back(settings: Settings, control: ControlData, leader: GateStatus) -> bool:
    """Whether a crashed primary lacks WAL of its own timeline that ``leader`` has.

    pg_rewind would let it recover first, which ends with a checkpoint of its own in the middle of the leader's history, and
    find nothing to rewind. As a standby it would wait at that place for ever.
    """
    fork = fork_of(control.timeline, leader)
    if fork is None or control.state == CLEAN_PRIMARY or control.state in IN_RECOVERY:
        return False
    return not await reaches(settings, control, fork)


def _ends_before_fork(settings: Settings, control: ControlData, leader: GateStatus) -> bool:
    """Whether this directory certainly holds nothing that the leader lacks: then it follows as it is."""
    fork = fork_of(control.timeline, leader)
    if control.state != CLEAN_PRIMARY or fork is None:
        return False
    try:
        return parse_lsn(end_of_wal(settings.data, control)) <= parse_lsn(fork)
    except ProgramError:
        return False


def is_given_up(timeline: int, leader: GateStatus) -> bool:
    """Whether ``leader`` has left ``timeline`` out of its history: what was written there is nobody's any more."""
    return leader.timeline not in {None, timeline} and fork_of(timeline, leader) is None


def fork_of(timeline: int, leader: GateStatus) -> str | None:
    """Return where the leader's history left ``timeline``; ``None`` when it never was on it, or still is."""
    return next((lsn for number, lsn in leader.history if number == timeline), None)


def _keep_wal(settings: Settings, control: ControlData, leader: GateStatus, say: Say) -> None:
    """Copy WAL segments that reach past the fork: they may hold writes that nobody else has."""
    fork = fork_of(control.timeline, leader)
    first = segment_name(control.timeline, parse_lsn(fork), control.segment_bytes) if fork else f"{control.timeline:08X}"
    segments = [
        path
        for path in sorted((settings.data / "pg_wal").iterdir())
        if path.is_file() and len(path.name) == len("0" * 24) and path.name[:8] == first[:8] and path.name >= first
    ]
    if not segments:
        return
    aside = kept_folder(settings) / f"wal-{_stamp()}"
    kept = (folder for folder in kept_folder(settings).glob("wal-*") if folder.suffix != GOING)
    if any(_holds(folder, segments) for folder in kept):
        return  # kept by an attempt that failed after this
    aside.mkdir(parents=True, exist_ok=True)
    for path in segments:
        shutil.copy2(path, aside / path.name)
    say(f"kept {sum(path.stat().st_size for path in segments)} bytes of WAL past the fork at {aside}")


def _holds(folder: Path, segments: list[Path]) -> bool:
    """Whether ``folder`` has a copy of every one of ``segments``: copies keep the time of the last change."""
    return all(
        (copy := folder / path.name).exists() and copy.stat().st_mtime_ns == path.stat().st_mtime_ns for path in segments
    )


async def _rewind(settings: Settings, leader: str, address: str | None) -> None:
    configuration = write_configuration(settings, leader=leader, sync=(), address=address)
    revert.mark_rewind(settings)
    (settings.data / _SIGNAL).unlink(missing_ok=True)  # half rewound, it must not be started as the standby that it was
    await run_program(
        str(settings.programs / "pg_rewind"), "-D", str(settings.data), "--config-file", str(configuration),
        "--source-server", conninfo(settings, leader, address),
    )  # fmt: skip
    (settings.data / _SIGNAL).touch()
    revert.unmark_rewind(settings)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
