"""What the evidence means for a move: a precondition for each thing, with its number, who has said it, and when. Pure.

A rule that the estate gives (``preconditions``: age of the backup, free cores) refuses a planned move that breaks it, and
so does missing data where there is a rule: there is time to mend it. A forced failover is never refused here: people decide,
and read the same sentence as a warning. What has no rule only warns.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from activities.clients.reading_facts import ProbeFact
from activities.region.evidence_models import DatabaseEvidence, Evidence, ImagesEvidence
from activities.region.failover_models import Precondition, RegionSurvey, Standing
from activities.region.sizes import cores_of
from activities.run.errors import Refusal
from estate.regions import Preconditions, RegionTarget

_AZURE = "Azure Resource Manager"
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def evidence_holds(target: RegionTarget, survey: RegionSurvey, *, strict: bool) -> tuple[Precondition, ...]:
    """Return a precondition for each thing that was read; none: nobody has read. ``strict``: the estate's rules refuse."""
    found = survey.evidence
    return tuple(_all(target.settings.preconditions, found, strict=strict)) if found else ()


def warnings_of(preconditions: tuple[Precondition, ...]) -> tuple[str, ...]:
    """Return a sentence for each that holds and is not as it should be, or is not known."""
    return tuple(f"{one.name}: {one.evidence}" for one in preconditions if one.holds and one.standing is not Standing.FINE)


def _all(rules: Preconditions, found: Evidence, *, strict: bool) -> Iterator[Precondition]:
    for one in found.databases:
        yield _backup(rules, one, found.at, strict=strict)
        yield _quota(rules, one, found.at, strict=strict)
        yield _size(one, found.at)
    for probe in found.probes:
        yield _probe(rules, probe, found.at)
    if found.images is not None:
        yield _images(found.images, found.at)


def _told(name: str, words: str, standing: Standing, at: datetime, *, refuses: bool = False) -> Precondition:
    """Return one; ``refuses``: it does not hold unless it is fine."""
    holds = standing is Standing.FINE or not refuses
    refusal = "" if holds else (Refusal.UNREACHABLE if standing is Standing.UNKNOWN else Refusal.NOT_WHOLE).value
    return Precondition(
        name=name, holds=holds, evidence=words, refusal=refusal, standing=standing, source=_AZURE, read_at=at
    )


def _backup(rules: Preconditions, one: DatabaseEvidence, at: datetime, *, strict: bool) -> Precondition:
    name, found, most = f"backup of {one.name}", one.backup, rules.backup_age
    refuses = strict and most is not None
    if found.error:
        return _told(name, f"not known: {found.error}", Standing.UNKNOWN, at, refuses=refuses)
    remedy = "make one: az postgres flexible-server backup create"
    if found.completed_at is None:
        return _told(name, f"{found.server} has no completed backup; {remedy}", Standing.WARNING, at, refuses=refuses)
    age = at - found.completed_at
    words = f"{found.name} of {found.server}, completed {found.completed_at:%Y-%m-%d %H:%M} UTC, {_span(age)} ago"
    if most is None:
        return _told(name, words, Standing.FINE, at)
    if age > most:
        return _told(name, f"{words}; the estate allows {_span(most)}; {remedy}", Standing.WARNING, at, refuses=refuses)
    return _told(name, f"{words} (the estate allows {_span(most)})", Standing.FINE, at)


def _quota(rules: Preconditions, one: DatabaseEvidence, at: datetime, *, strict: bool) -> Precondition:
    there, left = one.quota_new, one.quota_old
    name, refuses = f"quota of {one.name} in {there.region}", strict and rules.quota_cores is not None
    if there.used is None or there.limit is None:
        return _told(name, f"not known: {there.error or 'Azure names no number'}", Standing.UNKNOWN, at, refuses=refuses)
    compared = f"{left.region}: {left.used} of {left.limit}" if left.limit is not None else f"{left.region}: not known"
    if left.family and there.family and left.family != there.family and left.limit is not None:
        compared += f" of {left.family}"
    needed, why = _needed(rules, one)
    free = there.limit - there.used
    words = f"{there.used} of {there.limit} cores of {there.family} are used, {free} are free; {compared}"
    if needed and free < needed:
        remedy = f"{needed} are needed {why}: ask Azure for a higher quota in {there.region}"
        return _told(name, f"{words}; {remedy}", Standing.WARNING, at, refuses=refuses)
    if left.used is not None and there.family == left.family and there.limit < left.used:
        more = f"{words}; {left.region} uses more than {there.region} may"
        return _told(name, more, Standing.WARNING, at)
    return _told(name, f"{words}; {f'{needed} are needed {why}' if needed else 'the move needs none'}", Standing.FINE, at)


def _needed(rules: Preconditions, one: DatabaseEvidence) -> tuple[int, str]:
    """Return how many free cores are needed, and why."""
    if rules.quota_cores is not None:
        return rules.quota_cores, "(quota_cores in the estate)"
    if one.old.high_availability and not one.new.high_availability:
        return cores_of(one.new.sku) or 0, f"for a standby of {one.new.name}"
    return 0, ""


def _size(one: DatabaseEvidence, at: datetime) -> Precondition:
    name, old, new = f"size of {one.name}", one.old, one.new
    if not (old.sku and new.sku):
        who = next(fact for fact in (new, old) if not fact.sku)
        return _told(name, f"not known: {who.error or f'Azure names no size of {who.name}'}", Standing.UNKNOWN, at)
    both = f"{new.name} is {new.sku}, {old.name} is {old.sku}"
    fewer = (cores_of(new.sku) or 0) < (cores_of(old.sku) or 0)
    if new.sku != old.sku:
        told = f"{both}: it may carry less" if fewer else f"{both}: they differ"
        return _told(name, told, Standing.WARNING, at)
    return _told(name, f"{new.name} and {old.name} are both {new.sku}", Standing.FINE, at)


def _probe(rules: Preconditions, one: ProbeFact, at: datetime) -> Precondition:
    name, most = f"probe of {one.traffic}" + (f": {one.what}" if one.what else ""), int(rules.probe_interval.total_seconds())
    if one.error:
        return _told(name, f"not known: {one.error}", Standing.UNKNOWN, at)
    if not one.enabled or one.interval_seconds is None:
        return _told(name, "it has no probe: health moves no traffic, only its change does", Standing.WARNING, at)
    after = "an unknown time" if one.moves_after_seconds is None else f"{one.moves_after_seconds} s"
    words = f"asks for {one.path or '/'} every {one.interval_seconds} s; health moves traffic {after} after the last answer"
    faults = [f"every {most} s"] if one.interval_seconds > most else []
    faults += [rules.probe_path] if one.path != rules.probe_path else []
    if faults:
        return _told(name, f"{words}; the estate says {' and '.join(faults)}", Standing.WARNING, at)
    return _told(name, words, Standing.FINE, at)


def _images(found: ImagesEvidence, at: datetime) -> Precondition:
    name = "images of the overlay"
    if found.error:
        one = _told(name, f"not known: {found.error}", Standing.UNKNOWN, at)
    elif pulled := [f"{image.name} (on {image.nodes})" for image in found.images if image.nodes < found.nodes]:
        words = f"will be pulled, since not all {found.nodes} nodes name them: {', '.join(pulled)}"
        one = _told(name, words, Standing.WARNING, at)
    else:
        one = _told(name, f"all {len(found.images)} are on each of {found.nodes} nodes", Standing.FINE, at)
    return one.model_copy(update={"source": "the API server's nodes"})


def _span(time: timedelta) -> str:
    seconds = max(time.total_seconds(), 0.0)
    if seconds >= 2 * _DAY:
        return f"{seconds / _DAY:.1f} d"
    return f"{seconds / _HOUR:.1f} h" if seconds >= _HOUR else f"{seconds / _MINUTE:.0f} min"
