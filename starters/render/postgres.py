"""A PostgreSQL cluster and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.post_promotion import Reconnected
from activities.postgres.models.survey import MemberFact, Survey
from activities.run.models.plan import Candidate
from activities.run.models.report import Known
from starters.render import words


def candidates_table(candidates: tuple[Candidate, ...], chosen: str, unknown: str = "unknown") -> Table:
    """Return who may be promoted and why. ``unknown``: what stands where no LSN does."""
    table = Table("candidate", "may lead", "because", "received", "lag", box=None, padding=(0, 2), header_style="dim")
    for one in candidates:
        lag = "unknown" if one.lag_bytes is None else f"{one.lag_bytes} B"
        late = "" if one.lag_seconds is None else f", {one.lag_seconds:.3f} s"
        may = "yes" if one.eligible else "no"
        name = f"{one.name}{' (chosen)' if one.name == chosen else ''}"
        table.add_row(name, may, escape(one.reason), one.receive_lsn or unknown, lag + late)
    return table


def members_table(survey: Survey) -> Table:
    """Return what gate, SQL and API server said of each member."""
    table = Table("member", "gate", "SQL", "pod", box=None, padding=(0, 2), header_style="dim")
    for fact in survey.members:
        table.add_row(*(escape(cell) for cell in (fact.name, _gate(fact), _sql(fact), _pod(fact))))
    return table


def _gate(fact: MemberFact) -> str:
    gate = fact.gate
    return f"{gate.doing}; timeline {gate.timeline}, epoch {gate.epoch}" if gate else f"no answer: {fact.gate_error}"


def _sql(fact: MemberFact) -> str:
    if fact.sql is None:
        return f"no answer: {fact.sql_error}"
    return "standby (in recovery)" if fact.sql.in_recovery else "primary"


def _pod(fact: MemberFact) -> str:
    if fact.pod is None:
        return fact.pod_error or "unknown"
    return f"{fact.pod.phase}, {'ready' if fact.pod.ready else 'not ready'}, on {fact.pod.node or '?'}"


def postgres_lines(known: Known) -> list[str]:
    """Return what was adopted, lost, proved and brought over, and whether the cluster is redundant."""
    details = known.of(PostgresDetails)
    plan = known.plan if isinstance(known.plan, PostgresPlan) else None
    lines = []
    if (adopted := details.adopted) is not None:
        lines.append(f"made on {plan.candidate if plan else 'it'}: {', '.join(adopted.made) or 'nothing'}")
        lines += [f"MEND SOON: {note}" for note in adopted.notes]
    if details.loss is not None and plan is not None and plan.give_up is not None:
        lines.append(
            f"counted after the last write: {details.loss.bytes} bytes of WAL and {details.loss.transactions} transactions"
            f" since the promotion at {plan.give_up.fork_lsn}; once given up, kept in {plan.give_up.kept}"
        )
    if (proof := details.proof) is not None:
        lines.append(f"proof ({proof.kind}) after {words.duration(proof.seconds)}: {proof.words}")
    if (evicted := details.evicted) is not None:
        ended, left = ("unknown" if number is None else str(number) for number in (evicted.ended, evicted.remaining))
        lines.append(f"sessions on the old primary: ended {ended}, left {left}; {evicted.words}")
    lines += [_application(app) for app in details.reconnected]
    if (back := details.redundancy) is not None:
        follows = "follows" if details.adopted else "follows again"
        again = f"{back.member} {follows} ({back.sync_state}) after {words.duration(back.seconds)}"
        lines.append(f"redundancy: {back.note or again}")
    return lines


def _application(app: Reconnected) -> str:
    seconds = app.writes_again_seconds
    wrote = "" if seconds is None else f", wrote again {words.duration(seconds)} after the route had moved"
    return (
        f"{app.deployment}: {app.ready} of {app.wanted} ready after {words.duration(app.seconds)}"
        f"{', restarted' if app.restarted else ''}{wrote}{f'; {app.note}' if app.note else ''}"
    )


def postgres_tables(details: PostgresDetails) -> list[RenderableType]:
    """Return what gate, SQL and API server said of each member."""
    return [members_table(details.survey)] if details.survey else []
