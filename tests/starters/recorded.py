"""The recorded runs, as facts and as what the command says of them."""

from __future__ import annotations

from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from typer.testing import CliRunner, Result

from starters.history.model import Facts, facts_of
from starters.history.parse import Chronicle, chronicle_of
from starters.main import app

_DATA = Path(__file__).parent / "data"
FORMATS = ("text", "markdown", "html", "json")
KINDS = {"switched": 0, "rolled-back": 1, "refused": 3, "terminated": 1}


def events(kind: str) -> list[HistoryEvent]:
    return list(WorkflowHistory.from_json("", (_DATA / f"{kind}.json").read_text()).events)


def facts(kind: str) -> Facts:
    return facts_of(chronicle_of(events(kind)))


def report(kind: str, *args: str) -> Result:
    return CliRunner().invoke(app, ["report", "--file", str(_DATA / f"{kind}.json"), *args])


def until(kind: str, step: str) -> Chronicle:
    """Return the chronicle of a run that has just scheduled ``step``."""
    chronicle = Chronicle()
    for event in events(kind):
        chronicle.add(event)
        if chronicle.steps_named(step):
            return chronicle
    raise AssertionError(step)
