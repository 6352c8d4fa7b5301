"""``failover evidence summary``: a month or a year of drills, for those who must show that they were held."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.text import Text

from activities.run.evidence_files import read_all
from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.client.kept_records import folder_of, known, listed_keys, public_keys
from starters.commands import arguments as arg
from starters.commands.evidence import changed, shown
from starters.history.compliance import Compliance, Period, Standing, compliance, one_month, whole_year
from starters.history.series import lines_of
from starters.render.compliance import Sheet, as_html, on_terminal, sheet_of
from starters.render.pdf import as_pdf

_MONTH, _YEAR = re.compile(r"([1-8]\d{3})-(0[1-9]|1[0-2])", re.ASCII), re.compile(r"[1-8]\d{3}", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """Which summary, and how."""

    month: str | None
    year: str | None
    html: Path | None = None
    pdf: Path | None = None
    font: Path | None = None
    folder: Path | None = None
    keys: Path | None = None
    estate: Path | None = None


def summary_command(  # noqa: PLR0913 - options of a command
    folder: arg.EvidenceFolder = None,
    *,
    month: arg.Month = None,
    year: arg.Year = None,
    html: arg.WriteHtml = None,
    pdf: arg.WritePdf = None,
    font: arg.Font = None,
    keys: arg.PublicKeys = None,
    estate: arg.EstateFile = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Summarize the drills of a month or a year.

    What was due by the calendar, what was held, its results and by whom, what was missed, and what the records lack.
    Names the hash of the last record. Exits with 1 when a record has been changed.
    """
    respond(output, summary(Wanted(month, year, html, pdf, font, folder, keys, estate)))


async def summary(wanted: Wanted, now: datetime | None = None) -> Answer:
    """Return the summary as of ``now``, and write the files that are wanted."""
    estate = known(wanted.estate)
    if estate.drills is None:
        raise CommandError(Exit.USAGE, "estate: it has no calendar of drills; add the key drills")
    made_at, period = now or datetime.now(UTC), _period(wanted, estate.drills.zone)
    folder = wanted.folder or folder_of(estate)
    try:
        records = read_all(folder) if folder.exists() else ()
    except OSError as error:
        raise CommandError(Exit.USAGE, f"dir: {error.filename or folder} cannot be read: {error.strerror}") from error
    keys = public_keys(wanted.keys) if wanted.keys else listed_keys(estate)
    lines, _ = lines_of(records)
    found, wrong = compliance(estate.drills, period, lines, made_at), changed(records, keys)
    sheet = sheet_of(found, wrong, made_at)
    told = [Text(f"written to {path}") for path in _written(wanted, sheet, made_at)]
    data = {**_data(found), "findings": list(wrong)}
    return Answer(Exit.FAILED if wrong else Exit.DONE, data, Group(*told) if told else on_terminal(sheet))


def _period(wanted: Wanted, zone: ZoneInfo) -> Period:
    if (wanted.month is None) == (wanted.year is None):
        raise CommandError(Exit.USAGE, "month: give either --month 2026-11 or --year 2026")
    if wanted.month is not None:
        if (found := _MONTH.fullmatch(wanted.month)) is None:
            raise CommandError(Exit.USAGE, f"month: {wanted.month!r} is none; write it as 2026-11")
        return one_month(int(found[1]), int(found[2]), zone)
    if not _YEAR.fullmatch(wanted.year or ""):
        raise CommandError(Exit.USAGE, f"year: {wanted.year!r} is none; write it as 2026")
    return whole_year(int(wanted.year or ""), zone)


def _written(wanted: Wanted, sheet: Sheet, made_at: datetime) -> list[Path]:
    """Write the files; return their paths."""
    texts: dict[Path, bytes] = {}
    if wanted.html:
        texts[wanted.html] = as_html(sheet).encode()
    if wanted.pdf:
        texts[wanted.pdf] = as_pdf(sheet, made_at, wanted.font)
    for path, text in texts.items():
        try:
            path.write_bytes(text)
        except OSError as error:
            raise CommandError(Exit.USAGE, f"write: {path} cannot be written: {error.strerror}") from error
    return list(texts)


def _data(found: Compliance) -> dict[str, Any]:
    due = [
        {**one.model_dump(mode="json", exclude={"line"}), "held": shown(one.line) if one.line else None} for one in found.due
    ]
    last = {"name": found.last.name, "sha256": found.last.digest} if found.last else None
    counts = {one.value: found.count(one) for one in Standing}
    besides = [shown(line) for line in found.besides]
    period = {"name": found.period.name, "time_zone": found.zone}
    return {"period": period, "counts": counts, "due": due, "besides": besides, "last": last}
