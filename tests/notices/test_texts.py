"""What people read, and what a run's answer is made of it."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from string import Formatter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.notices import reading
from activities.notices.models import Said
from activities.notices.plain import plain
from estate.notices import Event
from tests.notices.samples import APPROVAL, FACTS, NOON, facts
from workflows.notices import texts
from workflows.notices.models import Notice
from workflows.notices.texts import text_of
from workflows.run.phases import Phase, Trait

_LINK = "https://ui.example/namespaces/default/workflows/postgres%2Forders/r1/history"


def test_an_approval_says_all_that_is_needed_to_give_it() -> None:
    need = APPROVAL.model_copy(update={"until": NOON + timedelta(hours=4)})
    title, body = text_of(Notice(event=Event.APPROVAL, facts=FACTS, need=need), "https://ui.example/", "default")
    assert title == "Approval needed: postgres-failover postgres/orders planned"
    assert body.splitlines() == [
        "Change: A → B",
        "Asked by omar: maintenance",
        "Waits for 1 of DBA (dana)",
        "Until 2026-11-30 16:00 UTC",
        "Type: failover approve postgres/orders",
        f"Open: {_LINK}",
    ]


@pytest.mark.parametrize("event", Event)
def test_a_run_of_which_nothing_is_known_has_a_text_without_gaps(event: Event) -> None:
    bare = facts(by="", reason="", headline="", mode="", ended="terminated" if event is Event.FAILED else "")
    title, body = text_of(Notice(event=event, facts=bare), "", "default")
    assert title.endswith(": postgres-failover postgres/orders")
    assert not [line for line in body.splitlines() if line.endswith(": ") or "None" in line or "{" in line]


def test_braces_in_what_people_type_are_no_names() -> None:
    _, body = text_of(Notice(event=Event.STARTED, facts=facts(reason="{link} {0} {by.__class__}")), "", "default")
    assert "Asked by omar: {link} {0} {by.__class__}" in body


def test_every_event_has_a_title_and_a_body_of_names_that_exist() -> None:
    names = set(texts._names(Notice(event=Event.STARTED, facts=FACTS), "", ""))
    for event in Event:
        for text in (texts._TITLES[event], *texts._BODIES[event]):
            assert {name for _, name, _, _ in Formatter().parse(text) if name} <= names


@given(st.text(max_size=400))
@example("turned \u202e round, hidden \u200b, \x1b[31mred, two\u2028lines\x85here")
def test_a_line_is_one_visible_line(text: str) -> None:
    line = plain(text)
    assert len(line) <= 200
    assert line.splitlines() in ([line], [])
    assert not [one for one in line if unicodedata.category(one) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}]


def test_every_phase_that_waits_for_people_is_told_of() -> None:
    waiting = {phase.value for phase in Phase if Trait.WAITS_FOR_PEOPLE in phase.traits}
    assert waiting == {reading.ASKING, reading.PROVING, *reading.COMMANDS}


@pytest.mark.parametrize(
    ("said", "command", "what"),
    [
        ({"phase": "held", "explanation": "held by dana: look first"}, "release postgres/orders --by NAME", "held by dana"),
        (
            {"phase": "awaiting proof", "waits_for_attestation": "pg-0"},
            "attest postgres/orders --member pg-0 --by NAME",
            "proof that pg-0 is stopped; attest it only if you know",
        ),
        ({"phase": "blocked by a disruption budget"}, "override-budget postgres/orders --by NAME", "blocked by"),
    ],
)
def test_what_else_people_are_waited_for(said: dict[str, Any], command: str, what: str) -> None:
    need = reading._need("postgres/orders", Said.model_validate(said))
    assert need is not None
    assert (need.event, need.command, need.what.startswith(what)) == (Event.WAITING, f"failover {command}", True)


def test_an_answer_that_cannot_be_read_is_none() -> None:
    assert Said.of({"phase": ["?"]}) is None
    assert Said.of("?") is None
    assert Said.of({"phase": "held", "new": 1}) == Said(phase="held")
