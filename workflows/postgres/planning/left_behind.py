"""What a candidate will not have although every acknowledged write is kept. Pure; decides nothing, and is in no digest."""

from __future__ import annotations

from pydantic import ByteSize

from activities.postgres.models.survey import Survey
from gate.api import Contents


def left_behind(survey: Survey, primary: str, candidate: str) -> tuple[str, ...]:
    """Return a sentence about unlogged tables, and one about each replication slot that the candidate does not have.

    The catalog of a standby knows of unlogged tables when the primary's gate is silent; of slots only the primary does.
    """
    here, there = _contents(survey, primary), _contents(survey, candidate)
    lines = _unlogged(here or there, candidate)
    known = {slot.name for slot in there.slots} if there else set()
    missing = [slot.name for slot in here.slots if slot.name not in known] if here else []
    lines += [f"replication slot {name}: not on {candidate}; its consumer must be set up again" for name in missing]
    return tuple(lines)


def _contents(survey: Survey, name: str) -> Contents | None:
    fact = survey.member(name)
    return fact.gate.contents if fact is not None and fact.gate is not None else None


def _unlogged(contents: Contents | None, candidate: str) -> list[str]:
    if contents is None or not contents.unlogged_tables:
        return []
    number, size = contents.unlogged_tables, ByteSize(contents.unlogged_bytes).human_readable(decimal=True, separator=" ")
    tables = "1 unlogged table" if number == 1 else f"{number} unlogged tables"
    named = ", ".join(contents.largest_unlogged)
    largest = f"largest: {named}" if number > len(contents.largest_unlogged) else named
    return [f"{tables}, {size}: empty afterwards on {candidate} ({largest})"]
