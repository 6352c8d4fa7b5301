"""What is new about a run, and which wait is told of again. Pure: facts in, notices out.

A run that has ended before it was first seen is told of once, by its end. What is part of another run is told of only where
people are needed or it fails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from activities.notices.models import Facts, Settings
from activities.run.watches import is_watch
from estate.notices import Event
from workflows.notices.models import Notice, Tracked

OVERLAP = timedelta(minutes=10)
"""What has closed so long before the last look is looked at again: Temporal's list may be late, and clocks differ."""
_ENDED = "ended"
_LOUD = {Event.APPROVAL, Event.WAITING, Event.FAILED, Event.DRILL_FAILED}


def news(known: Tracked | None, facts: Facts, now: datetime, begun_at: datetime) -> tuple[Tracked, tuple[Notice, ...]]:
    """Return the run with what is told of it from now on, and what is to be told."""
    before = known or Tracked(facts=facts, quiet=bool(facts.parent) and not is_watch(facts.parent))
    told, notices = list(before.told), []
    for key, notice in _events(before, facts, begun_at):
        told.append(key)
        if notice is not None and (notice.event in _LOUD or not before.quiet):
            notices.append(notice)
    wait = {"waits_since": now, "asked_at": now} if any(one.need for one in notices) else {}
    return before.model_copy(update={"facts": facts, "told": tuple(told), **wait}), tuple(notices)


def _events(before: Tracked, facts: Facts, begun_at: datetime) -> Iterable[tuple[str, Notice | None]]:
    """Yield what was not told yet: its key, and the notice; ``None``: it is too old to be told."""
    told = set(before.told)
    if _ENDED in told:
        return
    if facts.ended:
        old = facts.closed_at is not None and facts.closed_at < begun_at
        yield _ENDED, None if old else Notice(event=_end_of(facts), facts=facts)
        return
    if Event.STARTED not in told:
        event = Event.DRILL_BEGUN if facts.drill else Event.STARTED
        yield Event.STARTED.value, None if facts.started_at < begun_at - OVERLAP else Notice(event=event, facts=facts)
    if facts.forward_only and Event.NO_WAY_BACK not in told:
        yield Event.NO_WAY_BACK.value, Notice(event=Event.NO_WAY_BACK, facts=facts)
    if need := facts.need:
        waits_anew = before.waits_since is None or before.facts.need is None or before.facts.need.key != need.key
        if waits_anew:
            yield f"{need.event}: {need.key}", Notice(event=need.event, facts=facts, need=need)


def _end_of(facts: Facts) -> Event:
    if facts.drill:
        return Event.DRILL_ENDED if facts.well else Event.DRILL_FAILED
    return Event.DONE if facts.well else Event.FAILED


def again(run: Tracked, settings: Settings, now: datetime) -> tuple[Tracked, Notice | None]:
    """Return the run, and that it still waits for people if that is due to be told again."""
    due, need = due_at(run, settings), run.facts.need
    if due is None or run.waits_since is None or need is None or now < due:
        return run, None
    waited = now - run.waits_since
    notice = Notice(
        event=need.event,
        facts=run.facts,
        need=need,
        waited_minutes=max(round(waited.total_seconds() / 60), 1),
        escalated=waited >= settings.escalate_after,
    )
    return run.model_copy(update={"asked_at": now}), notice


def due_at(run: Tracked, settings: Settings) -> datetime | None:
    """Return when people are told again that they are waited for; ``None``: they are not."""
    if run.facts.need is None or run.asked_at is None or run.waits_since is None:
        return None
    escalated = run.waits_since + settings.escalate_after
    due = run.asked_at + settings.repeat_every
    return min(due, escalated) if run.asked_at < escalated else due


def hears(settings: Settings, notice: Notice) -> list[str]:
    """Return the targets that are told of it."""
    return [
        name
        for name, events in sorted(settings.targets.items())
        if notice.event in events or (notice.escalated and name in settings.escalate_to)
    ]


def kept(runs: Iterable[Tracked], gone: Collection[str], now: datetime) -> tuple[Tracked, ...]:
    """Return the runs without those that need not be remembered: ended too long ago to be listed again, or unknown."""
    oldest = now - 3 * OVERLAP
    return tuple(
        run
        for run in runs
        if run.facts.run_id not in gone and (run.facts.closed_at is None or run.facts.closed_at >= oldest)
    )
