"""The catalogue says what the source says: nothing untranslated, nothing stale, no value lost."""

from __future__ import annotations

import ast
import re

import pytest

from languages.catalogue import LANGUAGES, BrokenCatalogueError, path_of, read
from languages.matching import PLACE
from tests.languages import sources
from tests.languages.collect import listed, wanted

_REMEDY = (
    "run python -m tests.languages.collect, then translate it in languages/{}.po, or list it in tests/languages/english.txt"
)
_MAINLAND = (
    "数",
    "务器",
    "網絡",
    "默認",
    "信息",
    "軟件",
    "服務器",
    "數據",
    "節點組",
    "容器組",
    "日誌",
    "賬",
    "為爲",
    "集群",
    "鏡像文件",
)
"""Characters and terms that nobody in Taiwan writes."""


@pytest.fixture(params=sorted(LANGUAGES))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def catalogue(language: str) -> dict[str, str]:
    return read(path_of(language).read_text(encoding="utf-8"))


def test_nothing_is_untranslated(catalogue: dict[str, str], language: str) -> None:
    missing = sorted(one for one in wanted() if not catalogue.get(one))

    assert not missing, _REMEDY.format(LANGUAGES[language])


def test_nothing_is_stale(catalogue: dict[str, str]) -> None:
    assert not sorted(catalogue.keys() - wanted().keys()), "not in the source any more: python -m tests.languages.collect"
    assert not sorted(listed("english") - sources.messages().keys()), "take it out of tests/languages/english.txt"


def test_listed_words_are_in_the_source() -> None:
    everything = "\n".join(sources.constants())
    parts = {one: [part.strip() for part in PLACE.split(one)[::2] if part.strip()] for one in listed("words")}

    assert not [one for one, found in parts.items() if not all(part in everything for part in found)]


def test_a_translation_has_the_values_of_its_message(catalogue: dict[str, str]) -> None:
    other = [one for one, told in catalogue.items() if sorted(set(PLACE.findall(one))) != sorted(set(PLACE.findall(told)))]

    assert not other


def test_a_translation_keeps_commands_and_names(catalogue: dict[str, str]) -> None:
    verbs = "plan|start|status|report|resume|repair|pause|adopt|attest"
    command = re.compile(rf"--[a-z-]+|failover (?:{verbs})(?= [a-z{{])|[a-z_]+\.[a-z_]{{3,}}")
    lost = [one for one, told in catalogue.items() if not set(command.findall(one)) <= set(command.findall(told))]

    assert not lost


def test_chinese_is_that_of_taiwan() -> None:
    told = read(path_of("zh-TW").read_text(encoding="utf-8"))

    assert not [text for text in told.values() if any(one in text for one in _MAINLAND)]


def test_messages_are_found_where_they_are_made() -> None:
    text = '''
"""Docstring of some words."""
NAMED = "Started: {what}"
def say(app, many):
    logger.info("a line of the log", extra={"some words": 1})
    return f"{app.name}{many}: not ready after {app.seconds:.3f} s{', restarted again' if many else ''}"
'''
    found = {sources.normal(one) for one in sources.texts_of(ast.parse(text))} - {""}

    assert found == {"Started: {0}", "{0}: not ready after {1} s{2}", "restarted again"}


@pytest.mark.parametrize(
    "text",
    [
        'msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n',
        'msgid "a"\n\n',
        'msgctxt "a"\n',
        'msgid "a\nmsgstr "b"\n',
        "msgid 1\n",
    ],
)
def test_a_catalogue_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(BrokenCatalogueError, match=r"line \d"):
        read(text)
