"""On a terminal of 80 columns nothing that is to be copied is cut: members' names, nodes' names, run IDs, digests."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from starters.client.following import Watched
from starters.client.targets import Place
from starters.commands.history import PastRun, _table
from starters.commands.status import _table as open_runs
from starters.commands.status import _view
from starters.history.model import facts_of
from starters.history.parse import Chronicle
from starters.render.live import picture
from starters.render.plan import plan_view
from starters.render.tables import Rows
from starters.render.terminal import brief, full
from tests.starters.recorded import events

_RUN_ID = "01a22381-aed7-72c8-a465-0123456789ab"
_NODE = "aks-workers-12345678-vmss000000"
_NAMES = re.compile(rf"postgresql-(?:primary|standby)-0|{_RUN_ID}|{_NODE}|[0-9a-f]{{8}}(?=[): \n])")


def _chronicle(kind: str, at_most: int = 1_000_000) -> Chronicle:
    chronicle = Chronicle(run_id=_RUN_ID)
    for event in events(kind)[:at_most]:
        chronicle.add(event)
    chronicle.workflow_id = "postgres/orders-of-the-whole-company"
    return chronicle


def _printed(what: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def _same_names(what: RenderableType) -> list[str]:
    """Return the names that 80 columns show, which are those that a wide terminal shows."""
    narrow, wide = _printed(what, 80), _printed(what, 1000)
    assert all(len(line) <= 80 for line in narrow.splitlines()), narrow
    assert "…" not in narrow
    assert sorted(_NAMES.findall(narrow)) == sorted(_NAMES.findall(wide)), narrow
    return _NAMES.findall(narrow)


@pytest.mark.parametrize("kind", ["switched", "rolled-back", "refused", "terminated"])
def test_reports_and_plans(kind: str) -> None:
    facts = facts_of(_chronicle(kind))
    assert {_RUN_ID, "postgresql-standby-0", "postgresql-primary-0"} <= {*_same_names(full(facts))}
    assert _RUN_ID in _same_names(brief(facts))
    assert "postgresql-standby-0" in _same_names(plan_view(facts, "postgres-failover"))


@pytest.mark.parametrize("at_most", [20, 40, 60, 80])
def test_following_and_status(at_most: int) -> None:
    watched = Watched(Place("postgres/orders"), _chronicle("switched", at_most))
    watched.troubles = (f"postgres.verify: attempt 2: postgresql-standby-0 on {_NODE} does not answer SQL within 3 s",)
    facts = facts_of(watched.chronicle)
    assert _NODE in _same_names(picture(watched, (facts.started_at or datetime.now(UTC)) + timedelta(minutes=1)))
    assert _NODE in _same_names(_view(watched, facts))
    _same_names(open_runs([facts, facts]))


def test_the_list_of_runs() -> None:
    run = PastRun(
        workflow="postgres-failover", workflow_id="postgres/orders", run_id=_RUN_ID, cluster="orders", mode="planned",
        run="real", by="mona", reason="", outcome="rollback incomplete", started_at=datetime.now(UTC), seconds=33.2,
    )  # fmt: skip
    narrow = _printed(_table([run]), 80)
    assert _same_names(_table([run])) == [_RUN_ID]
    assert _RUN_ID in [line.strip() for line in narrow.splitlines()], "the run ID has a line of its own"
    assert len(_printed(_table([run]), 150).splitlines()) == 2, "a wide terminal shows a line a run"


@pytest.mark.parametrize("width", range(40, 160, 7))
def test_a_table_of_long_names_cuts_none_at_any_width(width: int) -> None:
    table = Rows("member", "gate", "pod")
    table.add_row("postgresql-primary-0", "no answer: " + "it is not reachable " * 9, f"Running, ready, on {_NODE}")
    table.add_row(Text("postgresql-standby-0", style="bold"), "standby", f"Pending, on {_NODE}")
    printed = _printed(table, width)
    assert all(len(line) <= width for line in printed.splitlines()), printed
    assert [printed.count(name) for name in ("postgresql-primary-0", "postgresql-standby-0", _NODE)] == [1, 1, 2], printed
