"""A summary or a report as PDF, by fpdf2 (``pip install 'failover[pdf]'``).

Text of Western European letters needs no font file. For other characters (Chinese names) a font that has them is put into
the file: the one that is named, or the first of those that Debian installs. A character that no font has is said, and never
printed as a box.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from starters.client.answers import CommandError, Exit
from starters.render.compliance import Section, Sheet, spoken_sheet

if TYPE_CHECKING:
    from fpdf import FPDF

_FONTS = (
    (Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"), 3),
    (Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), 0),
)
"""File, and which of its fonts: Traditional Chinese is the fourth."""
_WESTERN, _LAST_WESTERN, _OWN = "Helvetica", 0xFF, "own"
_GREEN, _RED, _GREY, _LIGHT = (26, 127, 55), (209, 36, 47), (110, 110, 110), (210, 210, 210)
_TITLE, _END, _HEADING, _TEXT = 18, 13, 12, 9
_MARGIN_MM = 12
_NARROWEST, _WIDEST = 4, 40
"""Shares of a column in the width."""


def as_pdf(sheet: Sheet, made_at: datetime, font: Path | None = None) -> bytes:
    """Return the sheet as a PDF file, A4 across, in the chosen language.

    Raises:
        CommandError: fpdf2 is not installed, or no font has a character that is needed.

    """
    try:
        from fpdf import FPDF  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CommandError(Exit.USAGE, "pdf: fpdf2 is not installed; pip install 'failover[pdf]'") from error
    sheet = spoken_sheet(sheet)
    paper = FPDF(orientation="landscape", format="A4")
    paper.set_creation_date(made_at)
    paper.set_title(sheet.title)
    paper.set_margin(_MARGIN_MM)
    family = _family(paper, set("".join(_texts(sheet))), font)
    paper.add_page()
    _head(paper, family, sheet)
    for section in sheet.sections:
        _section(paper, family, section)
    return bytes(paper.output())


def _texts(sheet: Sheet) -> Iterator[str]:
    yield from (sheet.title, sheet.headline)
    yield from (words for fact in sheet.facts for words in fact)
    for section in sheet.sections:
        yield from (section.heading, section.nothing, *section.headers)
        yield from (cell for row in section.rows for cell in row)


def _family(paper: FPDF, wanted: set[str], font: Path | None) -> str:
    """Return the font family for these characters. CommandError: none has them all."""
    missing = [one for one in sorted(wanted) if ord(one) > _LAST_WESTERN]
    if font is None and not missing:
        return _WESTERN
    for tried, (path, number) in enumerate(((font, 0),) if font else _FONTS):
        if not font and not path.exists():
            continue
        family = f"{_OWN}{tried}"
        try:
            paper.add_font(family, fname=path, collection_font_number=number)
        except Exception as error:
            raise CommandError(Exit.USAGE, f"font: {path} cannot be used: {error}") from error
        has = getattr(paper.fonts[family], "cmap", {})
        missing = sorted(one for one in wanted if ord(one) not in has)
        if not missing:
            return family
    named = f"{font} has" if font else "no font that is installed has"
    raise CommandError(
        Exit.USAGE, f"pdf: {named} the character {missing[0]!r}; install fonts-noto-cjk, or give one with --font FILE"
    )


def _head(paper: FPDF, family: str, sheet: Sheet) -> None:
    _line(paper, family, sheet.title, _TITLE)
    paper.set_text_color(*(_GREEN if sheet.good else _RED))
    _line(paper, family, sheet.headline, _END)
    paper.set_text_color(0)
    paper.ln(2)
    for name, words in sheet.facts:
        paper.set_font(family, size=_TEXT)
        paper.set_text_color(*_GREY)
        paper.cell(28, 5, name)
        paper.set_text_color(0)
        paper.multi_cell(0, 5, words, new_x="LMARGIN", new_y="NEXT")


def _section(paper: FPDF, family: str, section: Section) -> None:
    from fpdf import FontFace  # noqa: PLC0415 - an extra

    paper.ln(4)
    _line(paper, family, section.heading, _HEADING)
    paper.set_font(family, size=_TEXT)
    if not section.rows:
        _line(paper, family, section.nothing, _TEXT)
        return
    columns = zip(section.headers, *section.rows, strict=True)
    widths = tuple(min(_WIDEST, max(_NARROWEST, *map(len, column))) for column in columns)
    paper.set_draw_color(*_LIGHT)
    style = FontFace(color=_GREY, emphasis="")
    headed = any(section.headers)
    with paper.table(
        rows=(section.headers, *section.rows) if headed else section.rows, col_widths=widths, text_align="LEFT",
        borders_layout="HORIZONTAL_LINES", headings_style=style, line_height=5, first_row_as_headings=headed,
    ):  # fmt: skip
        pass


def _line(paper: FPDF, family: str, text: str, size: int) -> None:
    paper.set_font(family, size=size)
    paper.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")
