"""A run on a terminal (redrawn in place), in a file (a line for each thing that happens), or not shown at all."""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from languages.choice import translated
from starters.client.answers import Output, console
from starters.client.following import Display, Watched, again
from starters.client.spoken import spoken
from starters.history.model import facts_of
from starters.history.parse import KEEP, Chronicle, Step
from starters.history.standstill import standstill
from starters.history.timing import PhaseTime, timing_of
from starters.render.tables import Rows
from starters.render.waiting import notices
from starters.render.words import duration, title, who
from workflows.catalog import shown, spec_of
from workflows.run.phases import Part, ReportPhase


def display_for(output: Output) -> Display:
    """Return the display that suits the output."""
    if output is Output.JSON:
        return Silent()
    return InPlace() if console().is_terminal else Lines()


class Silent:
    """Shows nothing: the answer at the end is all there is to say."""

    period = 1.0

    def show(self, watched: Watched, now: datetime) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to leave behind."""


class Lines:
    """One line for each phase, each step's end and each trouble, with the time since the start."""

    period = 0.2

    def __init__(self) -> None:
        """Print to stdout."""
        self._console = console()
        self._said: set[tuple[datetime | None, str]] = set()

    def show(self, watched: Watched, now: datetime) -> None:
        """Print what has not been printed yet."""
        chronicle = watched.chronicle
        if chronicle.started_at is None:
            return
        events: list[tuple[datetime | None, str]] = [*_events(chronicle)]
        events += [(None, line) for line in notices(watched)]
        for at, line in events:
            if (at, line) not in self._said:
                self._said.add((at, line))
                elapsed = ((at or now) - chronicle.started_at).total_seconds()
                self._console.print(
                    f"{at or now:%H:%M:%S} +{elapsed:7.3f} s  {translated(line)}", markup=False, soft_wrap=True
                )

    def close(self) -> None:
        """Nothing to leave behind."""


class InPlace:
    """A table that is redrawn while the run goes on."""

    period = 0.25

    def __init__(self) -> None:
        """Begin to draw at the first look."""
        self._live = Live(console=console(), auto_refresh=False, transient=True)
        self._live.start()

    def show(self, watched: Watched, now: datetime) -> None:
        """Redraw."""
        if watched.chronicle.started_at is not None:
            self._live.update(spoken(picture(watched, now)), refresh=True)

    def close(self) -> None:
        """Take the table away; the end of the run is printed after it."""
        self._live.stop()


def picture(watched: Watched, now: datetime) -> RenderableType:
    """Return the run as a table with the time against the objective."""
    chronicle = watched.chronicle
    facts = facts_of(chronicle, now)
    rows = {row.phase: row for row in timing_of(chronicle, now).phases}
    asked = f"asked by {who(facts.asked.by)}: {facts.asked.reason or 'no reason given'}"
    usual = spec.rows if (spec := spec_of(facts.workflow)) else ()
    table = Rows("phase", "took", "")
    for phase in ReportPhase:
        if phase in rows or phase in usual:
            table.add_row(*_row(phase, rows.get(phase), _now(chronicle, phase)))
    return Group(
        Text(title(facts), style="bold"),
        Text(asked, style="dim"),
        table,
        Text(clock(chronicle, now), style="bold"),
        *(Text(line, style="yellow") for line in notices(watched)),
        Text(f"Ctrl-C leaves the run going; pick it up again with {again(watched.place)}", style="dim"),
    )


def _row(phase: ReportPhase, row: PhaseTime | None, doing: str) -> tuple[Text, str, str]:
    if row is None:
        return Text(phase.value, style="dim"), "", ""
    if row.running:
        return Text(phase.value, style="bold cyan"), duration(row.seconds), doing
    return Text(phase.value, style="green"), duration(row.seconds), "failed" if row.failed else "done"


def _now(chronicle: Chronicle, phase: ReportPhase) -> str:
    going_on = [step.what for step in chronicle.steps.values() if step.phase is phase and step.ended is None]
    return "; ".join(going_on) or "waits for people"


def clock(chronicle: Chronicle, now: datetime) -> str:
    """Return elapsed time, and the write outage so far against the objective."""
    began = chronicle.started_at or now
    text = f"elapsed {duration(((chronicle.closed_at or now) - began).total_seconds())}"
    stopped = stopped_for(chronicle, now)
    if stopped is None:
        return text
    allowed = f" of {duration(chronicle.target.objective.rto.total_seconds())}" if chronicle.target else ""
    least = f"at least {duration(stopped)} ({stood.told})" if (stood := standstill(chronicle)) else duration(stopped)
    return f"{text}; write outage {least}{f'{allowed} allowed' if allowed else ''}"


def stopped_for(chronicle: Chronicle, now: datetime) -> float | None:
    """Return for how many seconds writes have been stopped, by the steps' times; ``None`` before the fence.

    A forced failover begins after the writes have stopped: it counts from the last sign of the old primary.
    """
    fences = chronicle.steps_that(Part.STOPS, Part.CONFIRMS)
    if not fences:
        return None
    proofs = chronicle.steps_that(Part.PROVES, Part.UNDOES)
    ends = [step.ended for step in proofs if step.end == "completed" and step.ended]
    stood = standstill(chronicle)
    return ((min(ends) if ends else now) - (stood.since if stood else fences[0].scheduled)).total_seconds()


def _events(chronicle: Chronicle) -> list[tuple[datetime, str]]:
    told = [(at, phase) for at, phase in chronicle.phases]
    told += [(step.ended, f"  {_end_of(step)}") for step in chronicle.steps.values() if step.ended and _is_told(step)]
    if chronicle.cancel_asked:
        told.append((chronicle.cancel_asked, "cancel asked for"))
    return sorted(told, key=lambda one: one[0])


def _is_told(step: Step) -> bool:
    return step.name != KEEP and not shown(step.name).measures


def _end_of(step: Step) -> str:
    took = duration((step.ended - step.scheduled).total_seconds()) if step.ended else ""
    end = {"completed": "done"}.get(step.end, step.end)
    return f"{step.what}: {end} in {took}{f' ({step.failure})' if step.failure else ''}"
