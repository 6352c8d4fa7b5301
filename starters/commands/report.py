"""``report``: how a run went, from its history on the server or from the ``history.json`` that it left behind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseError
from rich.text import Text
from temporalio.client import WorkflowHistory

from starters.client.answers import Answer, CommandError, Exit, Format, Output, Verbatim, plain, respond_about_run
from starters.client.following import Watched, seen
from starters.client.inside import read_children
from starters.client.results import machine_view
from starters.client.runs import explaining
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from starters.history.model import Facts, facts_of
from starters.history.parse import Chronicle, chronicle_of
from starters.render.documents import html, markdown
from starters.render.pdf import as_pdf
from starters.render.report_sheet import report_sheet
from starters.render.terminal import full
from starters.render.words import exit_of
from workers.connection import connect

_OF_SUFFIX = {".md": Format.MARKDOWN, ".html": Format.HTML, ".htm": Format.HTML, ".json": Format.JSON}


@dataclass(frozen=True)
class Wanted:
    """Which report, and how."""

    target: str | None
    history: Path | None
    format: Format | None
    write: Path | None


def report_command(
    target: arg.RunOption = None,
    *,
    file: arg.HistoryFile = None,
    format: arg.FormatOption = None,  # noqa: A002 - the option's name
    write: arg.WriteTo = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Show how a run went.

    Write outage and loss as measured, each phase, who approved, and what is left to do. Ends with 1 while the run is open.
    """
    respond_about_run(output, report(Wanted(target=target, history=file, format=format, write=write)))


async def report(wanted: Wanted) -> Answer:
    """Return the report; its exit code tells how the run ended."""
    watched = await _watched(wanted)
    facts = facts_of(watched.chronicle)
    chosen = wanted.format or _OF_SUFFIX.get(wanted.write.suffix if wanted.write else "", Format.TEXT)
    data = machine_view(facts, watched.status)
    if wanted.write is None:
        return Answer(exit_of(facts), data, full(facts) if chosen is Format.TEXT else Verbatim(_text(facts, chosen, data)))
    made = facts.finished_at or datetime.now(UTC)
    is_pdf = wanted.format is None and wanted.write.suffix == ".pdf"
    _write(wanted.write, as_pdf(report_sheet(facts), made) if is_pdf else _text(facts, chosen, data).encode())
    return Answer(exit_of(facts), {**data, "written": str(wanted.write)}, Text(f"written to {wanted.write}"))


async def _watched(wanted: Wanted) -> Watched:
    if (wanted.target is None) == (wanted.history is None):
        raise CommandError(Exit.USAGE, "run: say which, for example failover report orders; or give --file history.json")
    if wanted.history is not None:
        chronicle = _from_file(wanted.history)
        return Watched(Place(chronicle.workflow_id, chronicle.run_id), chronicle)
    client = await connect()
    async with explaining(client):
        watched = await seen(client, await find(client, wanted.target or ""))
    await read_children(client, watched.chronicle)
    return watched


def _from_file(path: Path) -> Chronicle:
    """Return the chronicle of a kept history.

    Raises:
        CommandError: the file cannot be read, or is no history.

    """
    try:
        history = WorkflowHistory.from_json("", path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(Exit.USAGE, f"file: {path} cannot be read: {error.strerror}") from error
    except (ParseError, ValueError, KeyError, AttributeError) as error:
        raise CommandError(Exit.USAGE, f"file: {path} is no history; give the history.json that a run has kept") from error
    chronicle = chronicle_of(history.events)
    if chronicle.started_at is None:
        raise CommandError(Exit.USAGE, f"file: {path} holds no run's start; give the history.json that a run has kept")
    return chronicle


def _text(facts: Facts, chosen: Format, data: dict[str, Any]) -> str:
    if chosen is Format.JSON:
        return json.dumps({"exit_code": int(exit_of(facts)), **data}, indent=2) + "\n"
    if chosen is Format.HTML:
        return html(facts)
    if chosen is Format.MARKDOWN:
        return markdown(facts)
    return plain(full(facts))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(Exit.USAGE, f"write: {path} cannot be written: {error.strerror}") from error
