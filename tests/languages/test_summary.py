"""A month of drills in Traditional Chinese, on the terminal and as a page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Group

from languages.choice import choose
from starters.client.answers import plain
from starters.commands.summary import Wanted, summary
from tests.drills.records import drilled, seal, write_estate

_NAMES = {
    "pods",
    "pod",
    "Pod",
    "api",
    "omar",
    "dana",
    "orders",
    "html",
    "doctype",
    "sha256",
    "RTO",
    "RPO",
    "Asia",
    "Taipei",
    "UTC",
}


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    choose("zh-TW")
    yield
    choose("en")


def test_no_english_is_left_in_a_summary(tmp_path: Path) -> None:
    estate, page = write_estate(tmp_path), tmp_path / "november.html"
    began = datetime(2026, 11, 4, 3, 0, tzinfo=UTC)
    seal(estate, drilled(1, kind="pod", target="api", drill="pods", began_at=began, parts=(), gaps=("not looked at: api",)))
    now = datetime(2027, 1, 1, tzinfo=UTC)

    shown = asyncio.run(summary(Wanted("2026-11", None, estate=estate), now)).text
    asyncio.run(summary(Wanted("2026-11", None, html=page, estate=estate), now))

    assert isinstance(shown, Group)
    bare = re.sub(r"<style>.*?</style>|<[^<>]*>|[\w-]*\d[\w-]*", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for text in (plain(shown), bare):
        assert "行事曆排定的演練" in text
        left = set(re.findall(r"(?<![\w/-])[A-Za-z]{3,}(?![\w/-])", text)) - _NAMES
        assert not left
