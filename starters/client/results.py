"""How a run that was followed or looked up becomes a command's answer."""

from __future__ import annotations

from typing import Any

from starters.client.answers import Answer
from starters.history.model import Facts
from starters.render.terminal import brief
from starters.render.words import exit_of, headline


def machine_view(facts: Facts) -> dict[str, Any]:
    """Return the facts as JSON, with the headline that people see."""
    return {"headline": headline(facts), **facts.model_dump(mode="json")}


def answer_of(facts: Facts) -> Answer:
    """Return the short end of a run."""
    return Answer(exit_of(facts), machine_view(facts), brief(facts))
