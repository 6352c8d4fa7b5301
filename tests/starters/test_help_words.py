"""The help of every command speaks in the words of the glossary."""

from __future__ import annotations

import re

import pytest

from starters.main import COMMANDS, DETECTION, NOTICES
from tests.starters.test_usage import run

_BANNED = (
    "estate", "watch", "watches", "watchers", "word", "words", "gone", "lives", "by itself", "mend", "mended", "whole",
    "well", "insist", "insists", "give up", "given up", "gives up", "give back", "given back", "empty", "evacuation",
    "settle", "settled", "settles", "acknowledge", "acknowledges", "seal", "strike", "lonely", "homeless", "stood still",
    "in the middle", "at any price", "anew", "leave", "switch", "switchover", "portrait", "journal", "aftermath", "eye",
    "eyes", "sighting", "verdict", "reaction", "stuck", "whoever", "somebody", "planned_only",
)  # fmt: skip
"""The glossary's right column, as far as it is about what people read."""
_HELPS = [(), *((name,) for name in COMMANDS), ("detection",), *(("detection", name) for name in DETECTION)]
_HELPS += [("notices",), *(("notices", name) for name in NOTICES)]


@pytest.mark.parametrize("command", _HELPS, ids=" ".join)
def test_the_help_has_no_word_that_the_glossary_replaces(command: tuple[str, ...]) -> None:
    ran = run(*command, "--help")
    assert ran.exit_code == 0
    text = " ".join(ran.stdout.split())
    found = [word for word in _BANNED if re.search(rf"(?<![-\w]){re.escape(word)}(?![-\w])", text, re.IGNORECASE)]
    assert found == [], text


@pytest.mark.parametrize("command", _HELPS[1:], ids=" ".join)
def test_the_first_sentence_is_shown_whole_in_the_list_of_commands(command: tuple[str, ...]) -> None:
    listed = run(*command[:-1], "--help").stdout
    (line,) = [line for line in listed.splitlines() if line.startswith(f"  {command[-1]} ")]
    assert not line.endswith("...")


@pytest.mark.parametrize("old", ["watch", "insist", "watchers"])
def test_old_names_are_not_shown(old: str) -> None:
    assert f"\n  {old} " not in run("--help").stdout
    assert run(old, "--help").exit_code == 0


def test_lines_of_the_help_fit_80_columns() -> None:
    for command in _HELPS:
        long = [line for line in run(*command, "--help").stdout.splitlines() if len(line) > 80]
        assert long == [], command
