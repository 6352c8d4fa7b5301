"""A report as headings and tables, for the PDF file that goes to those who were not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starters.client.answers import Exit
from starters.history.model import Facts
from starters.render import terminal, words
from starters.render.compliance import Section, Sheet
from starters.render.pages import said
from starters.render.post_mortem import skeleton


def report_sheet(facts: Facts) -> Sheet:
    """Return the report of a run."""
    verdict = words.verdict_line(facts)
    told = (
        ("result", facts.reason or "-"),
        ("asked by", words.who(facts.asked.by)),
        ("because", said(facts.asked.reason) or "no reason given"),
        ("started", words.moment(facts.started_at)),
        ("ended", words.moment(facts.finished_at) if facts.finished_at else "still open"),
        ("run", f"{facts.workflow_id}/{facts.run_id}"),
    )
    headline = ": ".join(filter(None, (words.headline(facts), verdict)))
    return Sheet(words.title(facts), headline, words.exit_of(facts) is Exit.DONE, told, tuple(_sections(facts)))


def _sections(facts: Facts) -> Iterator[Section]:
    yield _lines("Measured", terminal.measured_lines(facts), "nothing was moved, so nothing was measured")
    phases = tuple(
        (
            row.phase.value,
            f"+{(row.spans[0][0] - facts.started_at).total_seconds():.3f} s",
            words.duration(row.seconds),
            str(row.attempts or ""),
            "failed" if row.failed else "",
        )
        for row in facts.timing.phases
    )
    yield Section("Timeline", ("phase", "from", "took", "attempts", "result"), phases)
    yield _lines("Where the time went", terminal.time_lines(facts))
    yield _lines("People", terminal.people_lines(facts), "nobody was asked")
    yield _lines("Plan and evidence", terminal.plan_lines(facts.known.plan) if facts.known.plan else (), "no plan was made")
    yield _lines("Left to do", map(str, facts.known.left_to_do), "nothing")
    if trouble := terminal.trouble_lines(facts):
        yield _lines("Steps that failed or were tried again", trouble)
    asked = tuple((one.asked, one.known) for one in skeleton(facts))
    yield Section("Post-mortem", ("question", "What history knows is filled in; people complete it"), asked)


def _lines(heading: str, lines: Iterable[str], nothing: str = "none") -> Section:
    return Section(heading, ("",), tuple((one,) for one in lines), nothing)
