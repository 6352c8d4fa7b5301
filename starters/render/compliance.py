"""The summary of a month's or a year's drills, as headings and tables that the terminal, HTML and PDF show alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.text import Text

from languages.choice import translated
from starters.history.compliance import Compliance, Due, Standing, standing_of
from starters.history.series import Line
from starters.render.evidence import rpo, rto
from starters.render.pages import filled_in, pages
from starters.render.tables import Rows

_GOOD = {Standing.PASSED, Standing.OPEN}
_FIGURES = ("result", "begun by", "confirmed by", "RTO", "RPO")


class Section(NamedTuple):
    """A heading with a table."""

    heading: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    nothing: str = "none"
    """Stands there when there are no rows."""


class Sheet(NamedTuple):
    """What is shown."""

    title: str
    headline: str
    good: bool
    """Nothing was missed, failed, unconfirmed or changed."""
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def sheet_of(found: Compliance, changed: tuple[str, ...], made_at: datetime) -> Sheet:
    """Return the summary. ``changed``: what is not as it was sealed, of all records."""
    zone = ZoneInfo(found.zone)
    counted = [f"{found.count(one)} {one.value}" for one in Standing if found.count(one)]
    headline = f"{len(found.due)} due: {', '.join(counted)}" if found.due else "No drill was due"
    last = f"{found.last.name}, sha256 {found.last.digest}" if found.last else "none in this time"
    facts = (
        ("time", f"{found.period.begins:%Y-%m-%d} to before {found.period.ends:%Y-%m-%d}, {found.zone}"),
        ("made", f"{_local(made_at, zone)} {found.zone}, by the calendar of that day"),
        (
            "records",
            f"{len(changed)} finding{'s' if len(changed) > 1 else ''}, see below"
            if changed
            else "unchanged since they were written",
        ),
        ("last record", last),
    )
    good = not changed and all(one.standing in _GOOD for one in found.due)
    sections = tuple(one._replace(rows=_plain(one.rows)) for one in _sections(found, changed, zone))
    return Sheet(f"Failover drills {found.period.name}", headline, good, facts, sections)


def _findings(number: int) -> str:
    if not number:
        return "unchanged since they were written"
    return f"{number} finding{'s' if number > 1 else ''}, see below"


def _plain(rows: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Return the cells on one line each, without what cannot be printed: people have typed some of them."""
    return tuple(tuple("".join(filter(str.isprintable, " ".join(cell.split()))) for cell in row) for row in rows)


def _sections(found: Compliance, changed: tuple[str, ...], zone: ZoneInfo) -> Iterator[Section]:
    due = tuple(
        (f"{one.at.astimezone(zone):%Y-%m-%d %H:%M}", one.drill, one.kind, one.target, *_due(one)) for one in found.due
    )
    yield Section("Due by the calendar", ("due", "drill", "kind", "target", *_FIGURES), due, "nothing was due")
    besides = tuple((_began(line, zone), *_named(line), *_figures(line)) for line in found.besides)
    yield Section("Held at other times", ("begun", "drill", "kind", "target", *_FIGURES), besides)
    held = found.held
    worse = tuple((_began(line, zone), *_named(line), one) for line in held for one in line.regressions)
    yield Section("Regressions", ("begun", "drill", "kind", "target", "against the last one"), worse)
    gaps = tuple((_began(line, zone), *_named(line), gap) for line in held for gap in line.gaps)
    yield Section("Gaps in the records", ("begun", "drill", "kind", "target", "gap"), gaps)
    if changed:
        yield Section("Records that were changed", ("finding",), tuple((one,) for one in changed))
    yield Section("Records", ("record", "sha256 of its manifest"), tuple((line.name, line.digest) for line in held))


def _due(one: Due) -> tuple[str, ...]:
    return _figures(one.line) if one.line else (one.standing.value, *[""] * (len(_FIGURES) - 1))


def _figures(line: Line) -> tuple[str, ...]:
    return (standing_of(line).value, line.record.by, line.said_by or "nobody", rto(line), rpo(line))


def _named(line: Line) -> tuple[str, str, str]:
    return line.record.drill, line.record.kind, line.record.target


def _began(line: Line, zone: ZoneInfo) -> str:
    return _local(line.record.began_at, zone)


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def on_terminal(sheet: Sheet) -> RenderableType:
    """Return it as text."""
    parts: list[RenderableType] = [
        Text(f"{sheet.title}: {sheet.headline}", style="bold green" if sheet.good else "bold red")
    ]
    parts += [Text(f"{name}: {words}") for name, words in sheet.facts]
    for section in sheet.sections:
        parts.append(Text(f"\n{section.heading}"))
        table = Rows(*section.headers)
        for row in section.rows:
            table.add_row(*row)
        parts.append(table if section.rows else Text(f"  {section.nothing}"))
    return Group(*parts)


def as_html(sheet: Sheet) -> str:
    """Return it as one HTML page without anything to load."""
    return pages().get_template("summary.html.j2").render(sheet=sheet)


def spoken_sheet(sheet: Sheet) -> Sheet:
    """Return it in the chosen language."""
    told = tuple(_spoken_section(one) for one in sheet.sections)
    facts = tuple((translated(name), filled_in(words)) for name, words in sheet.facts)
    return Sheet(translated(sheet.title), translated(sheet.headline), sheet.good, facts, told)


def _spoken_section(section: Section) -> Section:
    rows = tuple(tuple(map(filled_in, row)) for row in section.rows)
    return Section(translated(section.heading), tuple(map(translated, section.headers)), rows, translated(section.nothing))
