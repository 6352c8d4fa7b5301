"""A report for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from starters.client.answers import Exit
from starters.client.targets import Place
from starters.history.model import Facts
from starters.render import words
from starters.render.subjects import own
from starters.render.tables import Rows

_COLOURS = {Exit.DONE: "green", Exit.WAITING: "yellow", Exit.REFUSED: "yellow", Exit.USAGE: "yellow"}


def full(facts: Facts) -> RenderableType:
    """Return the whole report."""
    return Group(
        *_head(facts),
        *_section("People", people_lines(facts)),
        *_section("Plan", plan_lines(facts.known.plan, dry=facts.outcome is Outcome.DRY_RUN) if facts.known.plan else []),
        *_tables(own(facts).candidates(facts.known)),
        *_section("As surveyed", []),
        *(own(facts).tables(facts.known) or [Text("  not surveyed")]),
        *_section("Timeline", []),
        timeline_table(facts),
        *_section("Where the time went", time_lines(facts)),
        *_section("Measured", measured_lines(facts)),
        *_section("Checklists", words.check_lines(facts.known.checks)),
        *_section("Steps that failed or were tried again", trouble_lines(facts)),
        *_section("Left to do", [str(one) for one in facts.known.left_to_do]),
    )


def brief(facts: Facts) -> RenderableType:
    """Return the end of a run in a few lines."""
    again = f"failover report {Place(facts.workflow_id).name}"
    return Group(
        *_head(facts),
        *(_line(line) for line in measured_lines(facts)),
        *_section("Left to do", [str(one) for one in facts.known.left_to_do]),
        _line(f"full report: {again}"),
    )


def _head(facts: Facts) -> list[RenderableType]:
    colour = _COLOURS.get(words.exit_of(facts), "red")
    verdict = words.verdict_line(facts)
    end = f"[bold {colour}]{escape(words.headline(facts))}[/]"
    lines: list[RenderableType] = [
        Text.from_markup(f"[bold]{escape(words.title(facts))}[/]"),
        Text.from_markup(f"{end}{f' — [bold {colour}]{verdict}[/]' if verdict else ''}"),
    ]
    if (down := facts.outage) is not None:
        lines.append(Text(f"  WRITES ARE DOWN: {down.message}", style="bold red"))
        lines.append(Text(f"  → {down.remedy}"))
    if facts.reason and facts.reason.casefold() != words.headline(facts).casefold():
        lines.append(Text(f"  {facts.reason}"))
    lines.append(Text(f"  asked by {words.who(facts.asked.by)}: {facts.asked.reason or 'no reason given'}", style="dim"))
    until = f" to {words.moment(facts.finished_at)}" if facts.finished_at else ", still open"
    lines.append(Text(f"  {words.moment(facts.started_at)}{until}; run {facts.run_id}", style="dim"))
    return lines


def _section(title: str, lines: Iterable[str]) -> list[RenderableType]:
    """Return a titled list; nothing for an empty one with a title that stands for a table."""
    listed = list(lines)
    tables = {"As surveyed", "Timeline"}
    if not listed and title not in tables:
        return []
    return [Text(), Text(title, style="bold"), *(_line(line) for line in listed)]


def _line(text: str) -> Text:
    return Text(f"  {text}")


def _tables(tables: list[RenderableType]) -> list[RenderableType]:
    """Return tables below an empty line; nothing for none."""
    return [Text(), *tables] if tables else []


def people_lines(facts: Facts) -> list[str]:
    """Return who had to agree and who did."""
    needed = f"approval asked of: {', '.join(facts.approvers)}" if facts.roles else "no approval asked"
    lines = [needed] if facts.workflow != "postgres-rejoin" else []
    for vote in facts.known.votes:
        what = "approved" if vote.approve else "rejected"
        proof = f", signed with {vote.key}" if vote.verified else " (unverified: nothing proves who sent it)"
        note = f": {vote.note}" if vote.note else ""
        lines.append(f"{what} by {vote.by}{f' as {vote.role}' if vote.role else ''}, {words.moment(vote.at)}{proof}{note}")
    if facts.known.attested_by:
        proof = _proof(facts.known.attested_key)
        lines.append(f"attested by {facts.known.attested_by}{proof}: the old leader is stopped, or its loss is accepted")
    lines += [one.told(words.moment(one.at)) for one in facts.known.control]
    if facts.cancel_asked_at:
        why = f": {facts.cancel_reason}" if facts.cancel_reason else ""
        lines.append(f"cancelled by {facts.cancel_asked_by or 'somebody'}, {words.moment(facts.cancel_asked_at)}{why}")
    return lines


def _proof(key: str) -> str:
    return f" (signed with {key})" if key else ""


def plan_lines(plan: Plan, *, dry: bool = False) -> list[str]:
    """Return the plan's decisions and its steps; ``dry``: without the digest, since nobody can approve a dry run."""
    how = plan.mode.value if plan.primary or not plan.candidate else "adopted"
    digest = "" if dry else f", digest {plan.digest or 'none'}"
    return [
        f"{plan.headline or plan.heading()}   ({how}{digest})",
        *(plan.remarks or plan.about() or (f"target {plan.cluster}",)),
        *_about_the_old_leader(plan),
        *(f"{number}. {step}" for number, step in enumerate(plan.steps, 1)),
    ]


def _about_the_old_leader(plan: Plan) -> list[str]:
    """Return what a forced plan says of the old leader, the loss, and what people must say."""
    if plan.diagnosis is None:
        return []
    lines = [plan.diagnosis.reason, *(f"  - {line}" for line in plan.diagnosis.evidence), f"loss: {plan.loss}"]
    return [*lines, f"needed: {plan.attestation}"] if plan.attestation else lines


def timeline_table(facts: Facts) -> Rows:
    """Return one row a phase: when it began after the start, how long it took, how it went."""
    table = Rows("phase", "from", "took", "")
    for row in facts.timing.phases:
        began = (row.spans[0][0] - facts.started_at).total_seconds()
        state = "goes on" if row.running and facts.open else "failed" if row.failed else ""
        tries = f"{row.attempts} attempts" if row.attempts > 1 else ""
        note = ", ".join(part for part in (state, tries) if part)
        table.add_row(row.phase.value, f"+{began:.3f} s", words.duration(row.seconds), note)
    return table


def time_lines(facts: Facts) -> list[str]:
    """Return the sum of the times."""
    timing = facts.timing
    parts = {
        "inside steps": timing.steps,
        "waiting for people": timing.people,
        "deliberate pauses": timing.pauses,
        "orchestration": timing.own,
    }
    shares = ", ".join(f"{name} {words.duration(share)}" for name, share in parts.items())
    lines = [f"total {words.duration(timing.total)}: {shares}"]
    if timing.children:
        own = ", ".join(f"{one.phase or 'begin'} {words.duration(one.seconds)}" for one in timing.own_by_phase)
        lines.append(f"orchestration by phase, that of {timing.children} child workflows included: {own}")
    return lines


def measured_lines(facts: Facts) -> list[str]:
    """Return outage, loss, the measuring client's errors, and what the procedure did."""
    known, lines = facts.known, list(facts.verdict.sentences)
    if (measured := known.measurement) is not None:
        usual = "" if measured.usual_gap_seconds is None else f", one every {measured.usual_gap_seconds * 1000:.0f} ms"
        errors = ", ".join(f"{count} {name}" for name, count in measured.errors.items()) or "none"
        what, kind = own(facts).counts
        lines.append(f"measuring client: {measured.acknowledged} {what}{usual}, {measured.failed} failed")
        lines.append(f"its errors{kind}: {errors}")
        if own(facts).gaps and measured.outage_seconds is not None:
            lines.append(f"longest time without a good answer: {words.duration(measured.outage_seconds)}")
        if measured.note:
            lines.append(f"note: {measured.note}")
    if known.insisted_by:
        proof = _proof(known.insisted_key)
        lines.append(f"{known.insisted_by}{proof} overrode the disruption budgets: the blocked pods were deleted")
    return lines + own(facts).lines(known)


def trouble_lines(facts: Facts) -> list[str]:
    """Return the steps that did not succeed at once."""
    return [
        f"{step.what}: {f'{step.attempts} attempts' if step.attempts > 1 else step.end}"
        f"{f'; {step.failure}' if step.failure else ''}"
        for step in facts.steps
        if step.attempts > 1 or step.end in {"failed", "timed_out"}
    ]
