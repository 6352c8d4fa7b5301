"""The skeleton of a post-mortem: each question with what history knows of the answer. The rest is for people."""

from __future__ import annotations

from typing import NamedTuple

from activities.run.watches import WATCH_TYPES
from starters.history.model import Facts
from starters.render import terminal, words
from workflows.run.phases import ReportPhase


class Question(NamedTuple):
    """One line of the skeleton."""

    asked: str
    known: str = ""
    """Empty: history does not know."""


def skeleton(facts: Facts) -> list[Question]:
    """Return the questions, in order."""
    trouble = terminal.trouble_lines(facts)
    badly = f"{len(trouble)} steps failed or were tried again, first: {trouble[0]}" if trouble else ""
    return [
        Question("What happened, in one sentence", ": ".join(filter(None, (words.headline(facts), facts.reason)))),
        Question("Who noticed, how, and when", _noticed(facts)),
        Question("Impact on users", "; ".join(facts.verdict.sentences)),
        Question("How long each part took", _parts(facts)),
        Question("Root cause", _cause(facts)),
        Question("What went well"),
        Question("What went badly", badly),
        Question("Where we were lucky"),
    ]


def _noticed(facts: Facts) -> str:
    by = facts.asked.by
    who = "failure detection" if by in WATCH_TYPES.values() else f"{by or 'nobody named'}, by command"
    why = f": {facts.asked.reason}" if facts.asked.reason else ""
    return f"{who}, {words.moment(facts.started_at)}{why}"


def _parts(facts: Facts) -> str:
    waited = [row for row in facts.timing.phases if row.phase in {ReportPhase.APPROVE, ReportPhase.HOLD}]
    done = [row for row in facts.timing.phases if row not in waited]
    told = [f"{row.phase.value} {words.duration(row.seconds)}" for row in done]
    people = sum(row.seconds for row in waited)
    return ", ".join([*told, *([f"people {words.duration(people)}"] if people else [])])


def _cause(facts: Facts) -> str:
    """Return what was seen of the fault: the beginning of an answer, not one."""
    diagnosis = facts.known.plan.diagnosis if facts.known.plan else None
    return f"seen at the time: {diagnosis.reason}" if diagnosis else ""
