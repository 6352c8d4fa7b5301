"""The summary as PDF: a font where one is needed, and never a box instead of a character."""

from __future__ import annotations

import builtins
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from starters.client.answers import CommandError
from starters.render import pdf
from starters.render.compliance import Section, Sheet
from starters.render.pdf import as_pdf

_NOW = datetime(2026, 12, 1, tzinfo=UTC)


def _sheet(by: str) -> Sheet:
    tables = (Section("Due", ("due", "by"), (("2026-11-04", by), ("2026-11-05", "dana"))), Section("Gaps", ("gap",), ()))
    return Sheet("Failover drills 2026-11", "2 due: 2 passed", good=True, facts=(("records", "unchanged"),), sections=tables)


def _font(folder: Path, more: str = "") -> Path:
    """Make a font with ASCII and ``more``, each character a blank."""
    characters = sorted({*map(chr, range(0x20, 0x7F)), *more})
    names = [".notdef", *(f"uni{ord(one):04X}" for one in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(one): name for one, name in zip(characters, names[1:], strict=True)})
    builder.setupGlyf({name: TTGlyphPen(None).glyph() for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Blank", "styleName": "Regular", "psName": "Blank-Regular"})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupPost()
    builder.save(folder / "blank.ttf")
    return folder / "blank.ttf"


@pytest.fixture
def without_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_FONTS", ())


@pytest.mark.usefixtures("without_fonts")
def test_western_letters_need_no_font_file() -> None:
    page = as_pdf(_sheet("Zoë"), _NOW)
    assert (page[:5], b"/FontFile" in page) == (b"%PDF-", False)
    assert page == as_pdf(_sheet("Zoë"), _NOW), "the same summary is the same file"


@pytest.mark.usefixtures("without_fonts")
def test_a_character_that_no_font_has_is_said(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("no font")
    cases = (
        (
            None,
            "pdf: no font that is installed has the character '小'; install fonts-noto-cjk, or give one with --font FILE",
        ),
        (_font(tmp_path), "blank.ttf has the character '小'"),
        (tmp_path / "words", "words cannot be used"),
        (tmp_path / "none", "none cannot be used"),
    )
    for font, says in cases:
        with pytest.raises(CommandError, match=says):
            as_pdf(_sheet("王小明"), _NOW, font)


def test_a_font_that_has_every_character_is_put_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more").mkdir()
    few, all_of_them = _font(tmp_path), _font(tmp_path / "more", "王小明")
    monkeypatch.setattr(pdf, "_FONTS", ((tmp_path / "none", 0), (few, 0), (all_of_them, 0)))
    assert b"/FontFile2" in as_pdf(_sheet("王小明"), _NOW)
    assert b"/FontFile2" in as_pdf(_sheet("zoe"), _NOW, few)


def test_without_fpdf2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "fpdf":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(CommandError, match=r"pdf: fpdf2 is not installed; pip install 'failover\[pdf\]'"):
        as_pdf(_sheet("dana"), _NOW)
