"""What ``/v1/status`` answers: everything that a gate knows, put together when somebody asks."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from typing import Any

from gate.api import GateStatus, Role, ServerFacts, ServerState
from gate.loop import rejoin
from gate.loop.readiness import Readiness
from gate.loop.situation import Sample
from gate.postgres.controldata import ControlData, ControlFile, is_standbys
from gate.postgres.wal import oldest_wal
from gate.settings import Settings

_MEASURE_EVERY_SECONDS = 10
_SLOW_SECONDS = 10.0
"""For so long a server that answered, and takes its time now, keeps its place behind its Service: to take it out costs the
applications that it still serves at least a second, and helps nobody."""


class Status:
    """Keeps the figures that take long to get, and puts them together with a sample."""

    def __init__(self, settings: Settings, control: ControlFile) -> None:
        self._settings, self._control = settings, control
        self._readiness = Readiness()
        self._sizes: tuple[int, ...] = (0, 0)
        self._oldest_wal: str | None = None

    async def measure(self) -> None:
        """Add up sizes again and again, for ever."""
        settings, folders = self._settings, (self._settings.data, rejoin.kept_folder(self._settings))
        while True:
            self._sizes = await asyncio.to_thread(lambda: tuple(rejoin.folder_bytes(folder) for folder in folders))
            if (control := self._control.last) is not None:
                self._oldest_wal = await asyncio.to_thread(oldest_wal, settings.data, control.segment_bytes)
            await asyncio.sleep(_MEASURE_EVERY_SECONDS)

    def ready(self, sample: Sample) -> bool:
        """Whether the pod counts as ready."""
        runs, facts, record = sample.server is ServerState.RUNNING, sample.facts, sample.record
        return self._readiness.judge(
            switching=sample.state.fenced_at is not None or (record is not None and record.intent is not None),
            leads=runs and facts.role is Role.PRIMARY,
            stands_by=runs and facts.role is Role.STANDBY,
            streams=runs and facts.upstream is not None,
            closed=sample.closed,
            slow=self._is_slow(sample),
        )

    def _is_slow(self, sample: Sample) -> bool:
        """Whether the server takes long to answer anything, for so short a time that it may be mere load."""
        silent = sample.silent_seconds
        quiet = sample.facts.role is None and bool(sample.facts.unanswered) and not sample.frozen
        return quiet and sample.server is ServerState.STARTING and silent is not None and silent < _SLOW_SECONDS

    def draw(self, sample: Sample, *, hands_over: bool = False) -> GateStatus:
        """Return everything that the gate knows."""
        state, stopped = sample.state, sample.server is ServerState.STOPPED
        facts = ServerFacts() if stopped else sample.facts
        return GateStatus(
            member=sample.member, at=datetime.now(UTC), epoch=state.epoch, fenced_at_epoch=state.fenced_at,
            promoted_at_epoch=state.promoted_at, promoted_xid=state.promoted_xid, server=sample.server, doing=sample.doing,
            ready=self.ready(sample), silent_seconds=sample.silent_seconds, frozen=sample.frozen,
            heard=dict(sample.heard), asked=dict(sample.asked), isolation_seconds=self._settings.isolation_timeout,
            members=self._settings.members, hands_over=hands_over,
            sessions_ended=None if facts.role is Role.PRIMARY else sample.sessions,
            contents=sample.contents, certificate_ends_at=sample.certificate_ends_at,
            lacks=sample.lacks if stopped else "",
            **self._of_the_disk(sample, stopped=stopped),
            **(
                _of_the_control_file(sample.control, stopped=stopped) | {"weak_commit_settings": sample.weak}
                | facts.model_dump(exclude_unset=True)
            ),
        )  # fmt: skip

    def _of_the_disk(self, sample: Sample, *, stopped: bool) -> dict[str, Any]:
        return {
            "empty": sample.empty, "standby_directory": None if sample.empty else is_standbys(self._settings.data),
            "untouched": stopped and not (sample.empty or sample.standby_signal or sample.half_rewound),
            "disk_free_bytes": shutil.disk_usage(self._settings.directory).free, "data_bytes": self._sizes[0],
            "kept_aside_bytes": self._sizes[1], "oldest_wal": self._oldest_wal,
        }  # fmt: skip


def _of_the_control_file(control: ControlData | None, *, stopped: bool) -> dict[str, Any]:
    if control is None:
        return {}
    return {
        "system_identifier": control.system_identifier, "timeline": control.timeline, "control_state": control.state,
        "checkpoint_lsn": control.checkpoint_lsn, **({"next_xid": control.next_xid} if stopped else {}),
    }  # fmt: skip
