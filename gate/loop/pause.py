"""A pause: a person's word, kept in the leader record, that nothing is to be brought back by itself for a while.

While it lasts, a former primary stays stopped with its directory as it is, an empty member copies nothing, and a starved
standby is not copied. A failover that nobody has asked for is refused. Nothing else changes: servers that run go on, a
standby that only stopped starts again, and whatever a person asks for is done. A pause ends by itself at its time, by each
gate's own clock.

A time that cannot be read counts as not over yet. Whoever wrote it by hand wanted to be left alone, and it ends when the
pause is taken off.
"""

from __future__ import annotations

from datetime import UTC, datetime

from gate.record import Record


def is_paused(record: Record | None, now: datetime) -> bool:
    """Whether a pause stands in ``record`` and is not over."""
    if record is None or not record.paused_until:
        return False
    until = _time(record.paused_until)
    return until is None or now < until


def pause_words(record: Record) -> str:
    """Return the pause in ``record`` as people read it: until when, by whom, why."""
    return words_of(record.paused_until, record.paused_by, record.paused_because)


def words_of(until: str, by: str, because: str) -> str:
    """Return a pause as people read it."""
    time = _time(until)
    when = f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else f"somebody ends it ({until!r:.40} is no time)"
    return f"paused until {when} by {by or 'nobody named'}: {because or 'no reason given'}"


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
