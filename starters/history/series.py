"""What the records of drills tell over time: each one's result and figures, beside those of the one before it.

A *series* is the drills of one kind on one target. A figure is compared with the last one that was measured in its series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, ValidationError

from activities.drills.record import DrillRecord, in_utc
from activities.run.evidence import MANIFEST, Record, digest
from activities.run.evidence_files import manifest_of

_SLOWER, _AT_LEAST_SECONDS = 1.2, 1.0
"""A drill is a regression when it took so many times as long, and so much longer."""


class Line(BaseModel):
    """One record of the series."""

    name: str
    """Its folder."""
    digest: str
    """SHA-256 of its manifest."""
    sealed_at: datetime
    record: DrillRecord
    gaps: tuple[str, ...]
    regressions: tuple[str, ...] = ()
    """In sentences; empty: as good as the last one of its series, or there is none to compare with."""

    @property
    def result(self) -> str:
        """``PASS``, ``FAIL``, or that nobody has said so."""
        if self.record.passed and self.record.word is None:
            return "not confirmed"
        return "PASS" if self.record.counts else "FAIL"

    @property
    def said_by(self) -> str:
        """Who has confirmed or denied that it has passed; empty: nobody."""
        return self.record.word.by if self.record.word else ""

    @property
    def objective_met(self) -> bool | None:
        """``None``: there is no objective, or nothing was measured."""
        figure, objective = self.record.rto_seconds, self.record.objective_seconds
        return None if figure is None or objective is None else figure <= objective


def lines_of(records: Iterable[Record]) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Return a line for each record, and the names of those that cannot be read. ``records``: oldest first."""
    lines, unread = list[Line](), list[str]()
    for one in records:
        if (line := _line(one)) is None:
            unread.append(one.name)
        else:
            lines.append(line)
    last: dict[tuple[str, str], Mapping[str, float | None]] = {}
    compared = list[Line]()
    for line in lines:
        series = (line.record.kind, line.record.target)
        before = last.get(series, {})
        compared.append(line.model_copy(update={"regressions": _regressions(line.record, before)}))
        now = {"rto": line.record.rto_seconds, "rpo": line.record.rpo_rows}
        last[series] = {**before, **{name: figure for name, figure in now.items() if figure is not None}}
    return tuple(compared), tuple(unread)


def _line(one: Record) -> Line | None:
    manifest = manifest_of(one)
    if manifest is None:
        return None
    try:
        record = DrillRecord.model_validate_json(one.files.get("drill.json", b""), extra="ignore")
    except ValidationError:
        return None
    record = record.model_copy(update={"began_at": in_utc(record.began_at), "ended_at": in_utc(record.ended_at)})
    told = digest(one.files[MANIFEST])
    return Line(name=one.name, digest=told, sealed_at=manifest.sealed_at, record=record, gaps=manifest.gaps)


def _regressions(record: DrillRecord, before: Mapping[str, float | None]) -> tuple[str, ...]:
    found, rto, rpo = [], before.get("rto"), before.get("rpo")
    now = record.rto_seconds
    if now is not None and rto is not None and now > rto * _SLOWER and now > rto + _AT_LEAST_SECONDS:
        found.append(f"RTO {now:.1f} s; the last one was {rto:.1f} s")
    if record.rpo_rows is not None and rpo is not None and record.rpo_rows > rpo:
        found.append(f"{record.rpo_rows} rows lost; the last one lost {rpo:.0f}")
    return tuple(found)
