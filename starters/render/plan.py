"""A plan for the terminal: who to whom, why, step by step, what would change, and how to go on."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.text import Text

from activities.nodes.run_models import NodePlan
from activities.postgres.models.plan import PostgresPlan
from activities.region.failover_models import RegionPlan
from activities.region.models import FlexiblePlan
from activities.run.models.diagnosis import LIVING
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from activities.traffic.gateway_models import GatewayPlan
from activities.traffic.models import TrafficPlan
from gate.record import Mode
from starters.history.model import Facts
from starters.render import words
from starters.render.subjects import own
from starters.render.terminal import plan_lines
from workflows.catalog import spec_of


def plan_view(facts: Facts, procedure: str) -> RenderableType:
    """Return the plan, or what was seen when none could be made."""
    plan = facts.known.plan
    parts: list[RenderableType] = [Text(words.title(facts), style="bold")]
    if refused := start_refused(facts):
        parts.append(Text(f"  {refused}", style="bold yellow"))
    if facts.outcome is Outcome.DRY_RUN:  # why there is none is said last, where a person looks
        parts.append(Text(f"  {facts.reason}"))
    if plan is not None:
        parts += [
            Text(),
            Text("Plan", style="bold"),
            *(Text(f"  {line}") for line in plan_lines(plan, dry=facts.outcome is Outcome.DRY_RUN)),
        ]
    for tables in (own(facts).candidates(facts.known), own(facts).tables(facts.known)):
        parts += [Text(), *tables] if tables else []
    if facts.known.preview:
        parts += [Text(), Text("What the API server says would change (dry run)", style="bold")]
        parts.append(Syntax(facts.known.preview, "diff", background_color="default", word_wrap=True))
    if facts.outcome is Outcome.DRY_RUN:
        parts += [Text(), *(Text(line) for line in _onward(facts, procedure))]
    return Group(*parts)


def _typed_again(plan: Plan | None) -> str:
    """Return the options without which a start would make another plan."""
    if isinstance(plan, TrafficPlan):
        return f" --to {plan.to}"
    if isinstance(plan, GatewayPlan) and plan.only:
        return f" --member {plan.only}"
    if isinstance(plan, RegionPlan):
        return f" --to {plan.candidate} --confirm 'ACTIVATE DR'"
    if not isinstance(plan, FlexiblePlan):
        return ""
    since = f" --down-since {plan.down_since:%Y-%m-%dT%H:%M:%SZ}" if plan.down_since else ""
    most = f" --max-missing {plan.max_missing.total_seconds():.0f}s" if plan.max_missing else ""
    return f" --to {plan.candidate}{since}{most}"


def _onward(facts: Facts, procedure: str) -> list[str]:
    asked = facts.asked
    moves = (spec := spec_of(procedure)) is not None and bool(spec.request.modes)
    options = f" --mode {asked.mode or 'lossless'}" if moves else ""
    if isinstance(plan := facts.known.plan, PostgresPlan) and plan.give_up is not None:
        most = plan.give_up.at_most
        options += f" --max-bytes {most.bytes} --max-transactions {most.transactions}"
    options += _typed_again(plan)
    needs = f"Will ask for approval by: {', '.join(facts.approvers)}." if facts.roles else "Will ask nobody for approval."
    if isinstance(plan, NodePlan) and (led := ", ".join(plan.carries)):
        asked_for = f"approval of {'; '.join(facts.hosted_approvers)}" if facts.hosted_approvers else "nobody asked"
        needs += f" Hosted leaders fail over first ({led}): {asked_for}."
    if refused := start_refused(facts):
        return [refused, *_in_an_emergency(facts, procedure)]
    lines = ["Nothing was changed. To do it:"]
    if procedure == "postgres-adopt":
        return [needs, *lines, f"  failover adopt {asked.cluster} --by YOU --reason WHY"]
    lines.append(f"  failover start {procedure} {asked.cluster}{options} --by YOU --reason WHY")
    return [needs, *lines] if moves else lines


def start_refused(facts: Facts) -> str:
    """Return why a start of this dry run's plan would be refused; empty: it would not be."""
    plan = facts.known.plan
    if facts.outcome is not Outcome.DRY_RUN or plan is None or plan.diagnosis is None or plan.mode is not Mode.FORCED:
        return ""
    alive = plan.diagnosis.condition in LIVING and not isinstance(plan, NodePlan)
    return f"Not needed: {plan.diagnosis.reason}. A start would be refused (PrimaryAlive)." if alive else ""


def _in_an_emergency(facts: Facts, procedure: str) -> list[str]:
    """Return the planned way, and what replaces a leader that answers even so."""
    target, old = facts.asked.cluster, facts.known.plan.primary if facts.known.plan else ""
    member = f" --member {old}" if procedure == "redis-failover" else ""
    again = _typed_again(facts.known.plan)
    attested = f"  failover start {procedure} {target} --mode forced --attest{member}{again} --by YOU --reason WHY"
    return [
        "Nothing was changed. Without loss:",
        f"  failover plan {procedure} {target}",
        f"In an emergency, attesting that {old} is to be stopped even if writes are lost:",
        attested,
    ]
