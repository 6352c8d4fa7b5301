"""Whether a stopped server that is to lead has the WAL that a standby of its own timeline has replayed.

A leader never sends WAL that is not on its disk. So one that lacks what a standby has replayed is not what it was: its
volume was restored from a snapshot, or has lost what it had confirmed. If it led, acknowledged rows would be gone, and the
standby that has them would follow another history without noticing.

What is known to be missing stays known when the standby that has it falls silent: its pod may restart, or the network may
fall apart. It is forgotten when this directory has it, has another timeline, or when this program ends; so a person who
knows that the standby never comes back ends the pod, and the server leads with what it has.

After a clean stop the end of WAL is known. After a crash the records up to the standby's position are read by
``pg_waldump``: the last 128 KiB of them, and only where that finds fault all since the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

from gate.api import GateStatus, Role
from gate.postgres.controldata import (
    CLEAN_PRIMARY,
    ControlData,
    ControlFile,
    ProgramError,
    end_of_wal,
    newest_timeline,
    run_program,
)
from gate.postgres.lsn import format_lsn, parse_lsn
from gate.settings import Settings

_NEAR_BYTES = 128 * 1024
_PAGE = 8192
_WITHIN_SECONDS = 20.0
"""Commands wait meanwhile. 19 MB take 9 ms (measured)."""
_MISSING = ("could not find", "could not open file", "error in WAL record")
"""What pg_waldump says when WAL ends; whatever else it says leaves the question open."""


class OwnWal:
    """Of one member."""

    def __init__(self, settings: Settings, control: ControlFile) -> None:
        """Compare the directory of ``settings``."""
        self._settings, self._control = settings, control
        self._asked: tuple[str, str, str] | None = None
        self._found = ""
        self._known: tuple[int, int, str] | None = None
        """What is missing: end of WAL, its timeline, and who has replayed it."""

    async def lacks(self, peers: Mapping[str, GateStatus | None]) -> str:
        """Return who has replayed what is missing here, in words; empty when nothing is known to be missing.

        Safe to ask again and again: the same question is answered from memory.
        """
        control = self._control.last
        if control is None or newest_timeline(self._settings.data) != control.timeline:
            return ""  # it was promoted, and has stopped before its first checkpoint: others may have gone further before
        replayed = [
            (parse_lsn(one.replay_lsn), control.timeline, one.member)
            for one in peers.values()
            if one is not None and one.role is Role.STANDBY and one.replay_lsn and one.timeline == control.timeline
        ]
        if self._known is not None and self._known[1] == control.timeline:
            replayed.append(self._known)
        self._known = max(replayed, default=None)
        if self._known is None:
            return ""
        end, _, member = self._known
        question = (wanted := format_lsn(end), control.state, control.checkpoint_lsn)
        if question != self._asked:
            has = await self._has(control, wanted)
            self._asked, self._found = question, "" if has else f"{member} has replayed {wanted}"
        self._known = self._known if self._found else None
        return self._found

    async def _has(self, control: ControlData, wanted: str) -> bool:
        """Whether WAL goes on to ``wanted``; also when that cannot be found out: recovery will say what is wrong."""
        try:
            return await reaches(self._settings, control, wanted)
        except ProgramError:
            return True


async def reaches(settings: Settings, control: ControlData, lsn: str) -> bool:
    """Whether the WAL of a stopped server, on the timeline of its last checkpoint, goes on to ``lsn``.

    Raises:
        ProgramError: nobody knows.
    """
    wanted, checkpoint = parse_lsn(lsn), parse_lsn(control.checkpoint_lsn)
    if wanted <= checkpoint:
        return True
    if control.state == CLEAN_PRIMARY:
        return parse_lsn(end_of_wal(settings.data, control)) >= wanted
    near = (wanted - _NEAR_BYTES) // _PAGE * _PAGE
    if near > checkpoint and await _reads(settings, control, near, lsn):
        return True
    return await _reads(settings, control, checkpoint, lsn)


async def _reads(settings: Settings, control: ControlData, start: int, end: str) -> bool:
    """Whether there are records from ``start`` to ``end``. ProgramError: nobody knows."""
    try:
        await run_program(
            str(settings.programs / "pg_waldump"), "--quiet", f"--path={settings.data / 'pg_wal'}",
            f"--timeline={control.timeline}", f"--start={format_lsn(start)}", f"--end={end}",
            environment={"LC_ALL": "C"}, within=_WITHIN_SECONDS,
        )  # fmt: skip
    except ProgramError as error:
        if any(words in str(error) for words in _MISSING):
            return False
        raise
    return True
