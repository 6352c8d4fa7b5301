"""What ``/v1/status`` answers: everything that a gate knows, put together when somebody asks."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gate.api import GateStatus, Role, ServerState
from gate.commands.adopt import is_standbys
from gate.loop import rejoin, revert
from gate.loop.readiness import Readiness
from gate.postgres.wal import oldest_wal

if TYPE_CHECKING:
    from gate.loop.core import Gate

_MEASURE_EVERY_SECONDS = 10


class Status:
    """Keeps the figures that take long to get, and draws the rest."""

    def __init__(self, gate: Gate) -> None:
        """Draw ``gate``."""
        self._gate = gate
        self._readiness = Readiness()
        self._sizes = (0, 0)
        self._oldest_wal: str | None = None

    async def measure(self) -> None:
        """Add up sizes again and again, for ever."""
        settings = self._gate.settings
        while True:
            self._sizes = await asyncio.to_thread(lambda: (rejoin.folder_bytes(settings.data), rejoin.kept_bytes(settings)))
            if (control := self._gate.control) is not None:
                self._oldest_wal = await asyncio.to_thread(oldest_wal, settings.data, control.segment_bytes)
            await asyncio.sleep(_MEASURE_EVERY_SECONDS)

    @property
    def ready(self) -> bool:
        """Whether the pod counts as ready."""
        gate = self._gate
        runs, role, record = gate.server.state is ServerState.RUNNING, gate.sampler.role, gate.record
        return self._readiness.judge(
            switching=gate.store.state.fenced_at is not None or (record is not None and record.intent is not None),
            leads=runs and role is Role.PRIMARY,
            stands_by=runs and role is Role.STANDBY,
            streams=runs and gate.sampler.facts.get("upstream") is not None,
            closed=gate.housekeeping.closed,
        )

    def draw(self) -> GateStatus:
        """Return everything that the gate knows."""
        gate = self._gate
        state, control, stopped = gate.store.state, gate.control, gate.server.state is ServerState.STOPPED
        facts: dict[str, Any] = {
            "system_identifier": control.system_identifier if control else None,
            "timeline": control.timeline if control else None,
            "next_xid": control.next_xid if control and stopped else None,
            **({} if stopped else gate.sampler.facts),
        }
        return GateStatus(
            member=gate.settings.member,
            at=datetime.now(UTC),
            epoch=state.epoch,
            fenced_at_epoch=state.fenced_at,
            promoted_at_epoch=state.promoted_at,
            promoted_xid=state.promoted_xid,
            server=gate.server.state,
            role=None if stopped else gate.sampler.role,
            doing=gate.doing,
            ready=self.ready,
            control_state=control.state if control else None,
            checkpoint_lsn=control.checkpoint_lsn if control else None,
            silent_seconds=gate.server.silent_seconds,
            frozen=gate.server.frozen,
            heard=gate.observer.heard,
            asked=gate.observer.asked,
            sessions_ended=None if not stopped and gate.sampler.role is Role.PRIMARY else gate.sampler.sessions,
            isolation_seconds=gate.settings.isolation_timeout,
            **self._of_the_disk(),
            **facts,
        )

    def _of_the_disk(self) -> dict[str, Any]:
        gate, settings = self._gate, self._gate.settings
        filled = (settings.data / "PG_VERSION").exists()
        return {
            "empty": not filled,
            "standby_directory": is_standbys(settings) if filled else None,
            "untouched": gate.server.state is ServerState.STOPPED and revert.is_untouched(settings),
            "disk_free_bytes": shutil.disk_usage(settings.directory).free,
            "data_bytes": self._sizes[0],
            "kept_aside_bytes": self._sizes[1],
            "oldest_wal": self._oldest_wal,
        }
