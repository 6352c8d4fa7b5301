"""Settings with which a standby must run at least: those of the primary whose WAL it replays.

PostgreSQL does not start a standby that has less, and one that runs pauses its replay when its primary was started with
more. It still answers, and it can never lead: a promotion would end it. The values are in its control file, so the gate
starts it with these, whatever its own configuration says; a standby that has paused is started anew.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from gate.postgres.controldata import ControlData, ControlFile, run_program
from gate.postgres.sql import Session
from gate.settings import Settings

_WITHIN_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 2.0
_SETTINGS = "select name, setting::bigint as value from pg_settings where name = any(%s::text[])"


async def too_small(settings: Settings, configuration: Path, control: ControlData | None) -> dict[str, int]:
    """Return setting → value for each that this member's configuration sets lower than a standby may have it.

    Raises:
        gate.postgres.controldata.ProgramError: the configuration cannot be read.
    """
    needs = dict(control.needs) if control is not None else {}
    configured = await asyncio.gather(*(_configured(settings, configuration, name) for name in needs))
    return {name: least for (name, least), value in zip(needs.items(), configured, strict=True) if value < least}


async def _configured(settings: Settings, configuration: Path, name: str) -> int:
    text = await run_program(
        str(settings.programs / "postgres"), "-C", name, "-D", str(settings.data), "-c", f"config_file={configuration}",
        within=_WITHIN_SECONDS,
    )  # fmt: skip
    return int(text)


class HeldUp:
    """Watches whether a standby's replay has paused for its settings."""

    def __init__(self, session: Session, control: ControlFile) -> None:
        self._session, self._control = session, control
        self._looked_at = 0.0

    async def by(self) -> str:
        """Return by which settings, in words; empty when by none, and between two looks.

        Raises:
            gate.postgres.sql.NOT_ANSWERING: the server does not answer.
        """
        if time.monotonic() - self._looked_at < _LOOK_EVERY_SECONDS:
            return ""
        self._looked_at = time.monotonic()
        if not (await self._session.row("select pg_is_wal_replay_paused() as yes"))["yes"]:
            return ""
        await self._control.refresh()
        needs = dict(self._control.last.needs) if self._control.last is not None else {}
        rows = await self._session.rows(_SETTINGS, list(needs))
        less = [f"{name} {value} < {needs[name]}" for name, value in map(dict.values, rows) if value < needs[name]]
        return ", ".join(less)
