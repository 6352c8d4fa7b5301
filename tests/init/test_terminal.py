"""``init`` asks on a real terminal: at once what is wrong, ``?`` explains, Ctrl-C writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from estate.loader import load_estate
from tests.init import scenes
from tests.init.conftest import Inits
from tests.init.terminal import Terminal, on_a_terminal

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]


@contextmanager
def _asking(init: Inits, *more: str) -> Iterator[Terminal]:
    args = ("init", "--context", "reader", "--namespace", scenes.SHOP, "--out", str(init.out), *more)
    with on_a_terminal(*args, **init.environment) as terminal:
        yield terminal


def _take_defaults(terminal: Terminal, answers: dict[str, str], last: str) -> None:
    """Answer the questions that begin so; take the default of every other one, up to the question ``last``."""
    while True:
        asked = terminal.until(" (? explains): ").splitlines()[-1]
        given = next((text for begin, text in answers.items() if asked.startswith(begin)), "")
        terminal.type(given)
        if asked.startswith(last):
            return


_ANSWERS = {"Who are the people": "dana=DBA", "In which database of ledger": "books"}


def test_a_person_answers_and_the_next_run_asks_nothing(init: Inits) -> None:
    with _asking(init) as terminal:
        assert "label topology.kubernetes.io/region of the nodes" in terminal.until("What is the name of this region?")
        assert terminal.until("(? explains): ").strip() == "[westeurope]"
        terminal.type("?")
        assert "A name of your choice without blanks" in terminal.until("What is the name of this region?")
        terminal.until("(? explains): ")
        terminal.type("West Europe!")
        assert "'West Europe!' is no name" in terminal.until("What is the name of this region?")
        terminal.until("(? explains): ")
        terminal.type("weu")
        _take_defaults(terminal, _ANSWERS, "In which directory")
        assert terminal.code() == 0, terminal.seen
    estate = load_estate(init.out)
    assert estate.regions.keys() == {"weu"}
    assert estate.people == {"dana": ("DBA",)}
    assert "next: read the file" in terminal.seen
    init.out.unlink()
    with _asking(init) as again:
        assert again.code() == 0, again.seen
        assert "?" not in again.seen
    assert load_estate(init.out) == estate


@pytest.mark.parametrize("answered", [0, 1])
def test_ctrl_c_writes_nothing_and_says_so(init: Inits, answered: int) -> None:
    with _asking(init) as terminal:
        for _ in range(answered):
            terminal.until("(? explains): ")
            terminal.type("")
        terminal.until("(? explains): ")
        terminal.press_ctrl_c()
        assert terminal.code() == 130
    assert "failover: interrupted; nothing was written" in terminal.seen
    assert "Traceback" not in terminal.seen
    assert init.nothing_was_written()


def test_the_end_of_the_input_writes_nothing(init: Inits) -> None:
    with _asking(init) as terminal:
        terminal.until("(? explains): ")
        terminal.press_ctrl_d()
        assert terminal.code() == 130
    assert "failover: the input ended; nothing was written" in terminal.seen
    assert init.nothing_was_written()


def test_what_needs_an_answer_takes_no_empty_line(init: Inits) -> None:
    init.answers.write_text("{region: weu, location: there, workers_here: yes}")
    with _asking(init) as terminal:
        _take_defaults(terminal, {"-": ""}, "In which database of ledger")
        assert "an answer is needed" in terminal.until("In which database of ledger")
