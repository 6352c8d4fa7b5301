"""A PostgreSQL cluster and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType

from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.post_promotion import Reconnected
from activities.run.models.report import Known
from starters.render import words
from starters.render.members import members_table


def postgres_lines(known: Known) -> list[str]:
    """Return what was adopted, lost, proved and brought over, and whether the cluster is redundant."""
    details = known.of(PostgresDetails)
    plan = known.plan if isinstance(known.plan, PostgresPlan) else None
    lines = []
    if (adopted := details.adopted) is not None:
        lines.append(f"made on {plan.candidate if plan else 'it'}: {', '.join(adopted.made) or 'nothing'}")
        lines += [f"REPAIR SOON: {note}" for note in adopted.notes]
    if details.loss is not None and plan is not None and plan.give_up is not None:
        lines.append(
            f"counted after the last write: {details.loss.bytes} bytes of WAL and {details.loss.transactions} transactions"
            f" since the promotion at {plan.give_up.fork_lsn}; once lost, kept in {plan.give_up.kept}"
        )
    if (proof := details.proof) is not None:
        lines.append(f"proof ({proof.kind}) after {words.duration(proof.seconds)}: {proof.words}")
    if (evicted := details.evicted) is not None:
        ended, left = ("unknown" if number is None else str(number) for number in (evicted.ended, evicted.remaining))
        none = evicted.ended is None and proof is not None
        told = "none, it was confirmed stopped" if none else f"ended {ended}, left {left}; {evicted.words}"
        lines.append(f"sessions on the old primary: {told}")
    if plan is not None and details.promoted is not None:
        lines += [f"not carried over: {what}" for what in plan.left_behind]
    lines += [_application(app) for app in details.reconnected]
    if (back := details.redundancy) is not None:
        follows = "follows" if details.adopted else "follows again"
        again = f"{back.member} {follows} ({back.sync_state}) after {words.duration(back.seconds)}"
        lines.append(f"redundancy: {back.note or again}")
    return lines


def _application(app: Reconnected) -> str:
    seconds = app.writes_again_seconds
    wrote = "" if seconds is None else f", first write {words.duration(seconds)} after the route had moved"
    return (
        f"{app.deployment}: {app.ready} of {app.wanted} ready after {words.duration(app.seconds)}"
        f"{', restarted' if app.restarted else ''}{wrote}{f'; {app.note}' if app.note else ''}"
    )


def postgres_tables(details: PostgresDetails) -> list[RenderableType]:
    """Return what gate, SQL and API server said of each member."""
    return [members_table(details.survey)] if details.survey else []
