"""A stopped server, read from its files: ``pg_controldata``, the end of its WAL, its timeline's history."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from pathlib import Path

from gate.postgres.lsn import format_lsn, parse_lsn
from gate.settings import Settings

_PAGE = 8192
_PAGE_HEADER = 24
_SEGMENT_HEADER = 40
_ALIGNMENT = 8
_RECORD_HEADER = 24
_LONGEST_CHECKPOINT = 4096
"""Bytes that no checkpoint's record reaches: 114 in PostgreSQL 13 to 17."""
_CONTROL_WITHIN_SECONDS = 30.0
_CONTROL_SOON_SECONDS = 1.0
"""pg_controldata reads one small file: 5 ms. Where clients wait for writes meanwhile, it is asked again instead."""
_NEEDED = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
"""Setting → how ``pg_controldata`` calls it."""
CLEAN_PRIMARY = "shut down"
IN_RECOVERY = {"in archive recovery", "shut down in recovery"}


@dataclass(frozen=True)
class ControlData:
    """The fields that decisions need."""

    state: str
    system_identifier: str
    timeline: int
    checkpoint_lsn: str
    segment_bytes: int
    next_xid: int
    """As of the latest checkpoint, with its epoch: a number that never wraps."""
    needs: tuple[tuple[str, int], ...] = ()
    """Settings with which the primary ran, and less than which a standby must not have."""


class ProgramError(Exception):
    """One of PostgreSQL's programs failed, hung or printed nonsense, or its files hold it; carries the last words."""


async def run_program(*command: str, environment: dict[str, str] | None = None, within: float | None = None) -> str:
    """Run one of PostgreSQL's programs and return what it printed. It is killed after ``within`` seconds, if given.

    Raises:
        ProgramError: it cannot be started, ended with a code other than 0, or not in time.
    """
    name = Path(command[0]).name
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
        )
    except OSError as error:
        raise ProgramError(f"{name} cannot be started: {error}") from error
    try:
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise ProgramError(f"{name} did not end within {within:g} s") from None
    if process.returncode != 0:
        words = err.decode(errors="replace").strip()[-800:]
        raise ProgramError(f"{name} ended with {process.returncode}: {words}")
    return out.decode(errors="replace")


async def read_control(programs: Path, data: Path, within: float = _CONTROL_WITHIN_SECONDS) -> ControlData:
    """Return ``pg_controldata`` of ``data``.

    Raises:
        ProgramError: it failed, did not end ``within`` seconds, or printed something else.
    """
    text = await run_program(str(programs / "pg_controldata"), "-D", str(data), environment={"LC_ALL": "C"}, within=within)
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    try:
        turns, _, xid = fields["Latest checkpoint's NextXID"].partition(":")
        return ControlData(
            state=fields["Database cluster state"],
            system_identifier=fields["Database system identifier"],
            timeline=int(fields["Latest checkpoint's TimeLineID"]),
            checkpoint_lsn=format_lsn(parse_lsn(fields["Latest checkpoint location"])),
            segment_bytes=int(fields["Bytes per WAL segment"]),
            next_xid=(int(turns) << 32) + int(xid),
            needs=tuple((name, int(fields[label])) for name, label in _NEEDED.items() if label in fields),
        )
    except (KeyError, ValueError) as error:
        raise ProgramError(f"pg_controldata printed no control file: {error!r} in {text[:200]!r}") from error


class ControlFile:
    """The control file of this member's directory, as it was read last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.last: ControlData | None = None

    async def read(self) -> ControlData:
        """Read it again. Raises as ``read_control``."""
        self.last = await read_control(self._settings.programs, self._settings.data, _CONTROL_SOON_SECONDS)
        return self.last

    async def refresh(self) -> None:
        """Read it again; what was known stays when it cannot be read."""
        with contextlib.suppress(ProgramError):
            await self.read()


def is_standbys(data: Path) -> bool:
    """Whether ``data`` is a standby's, or is being recovered."""
    return any((data / name).exists() for name in ("standby.signal", "recovery.signal"))


def end_of_wal(data: Path, control: ControlData) -> str:
    """Return the LSN behind the latest checkpoint's record: the end of WAL of a cleanly stopped server.

    A standby whose ``pg_last_wal_receive_lsn()`` is at least this has every byte that the server ever wrote. A record begins
    with its length, and aligned, so that the length never lies across a page; nothing else of it is needed, and no further
    segment, which may not exist. Holds for PostgreSQL 9.5 to 18.

    Raises:
        ProgramError: there is no such segment, or no record there.
    """
    start = parse_lsn(control.checkpoint_lsn)
    name = segment_name(control.timeline, start, control.segment_bytes)
    try:
        with (data / "pg_wal" / name).open("rb") as segment:
            segment.seek(start % control.segment_bytes)
            length = struct.unpack("=I", segment.read(4))[0]
    except (OSError, struct.error) as error:
        message = f"the checkpoint at {control.checkpoint_lsn} cannot be read from segment {name}: {error}"
        raise ProgramError(message) from error
    if not _RECORD_HEADER < length < _LONGEST_CHECKPOINT:
        raise ProgramError(f"there is no checkpoint at {control.checkpoint_lsn} in segment {name}: {length} bytes")
    return format_lsn(record_end(start, length, control.segment_bytes))


def segment_name(timeline: int, lsn: int, segment_bytes: int) -> str:
    """Return the name of the WAL segment that holds ``lsn``."""
    number, per_file_id = lsn // segment_bytes, 0x100000000 // segment_bytes
    return f"{timeline:08X}{number // per_file_id:08X}{number % per_file_id:08X}"


def record_end(start: int, length: int, segment_bytes: int) -> int:
    """Return where a WAL record of ``length`` bytes that starts at ``start`` ends, page headers in between included."""
    left = -(-length // _ALIGNMENT) * _ALIGNMENT
    position = start
    while True:
        room = _PAGE - position % _PAGE
        if left <= room:
            return position + left
        left -= room
        position += room
        position += _SEGMENT_HEADER if position % segment_bytes == 0 else _PAGE_HEADER


def newest_timeline(data: Path) -> int:
    """Return the newest timeline of which ``data`` knows that it was begun; 1 when it knows of none."""
    return max((int(path.stem, 16) for path in (data / "pg_wal").glob("*.history")), default=1)


def read_history(data: Path, timeline: int) -> tuple[tuple[int, str], ...]:
    """Return the earlier timelines of ``timeline`` and where each was left, oldest first."""
    try:
        text = (data / "pg_wal" / f"{timeline:08X}.history").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    rows = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple((int(row[0]), row[1]) for row in rows)
