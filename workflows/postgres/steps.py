"""Steps of PostgreSQL procedures whose request takes more than a line."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.post_promotion import FollowRequest, Redundancy
from activities.postgres.models.survey import Survey, SurveyRequest
from activities.postgres.models.transfer import Switch
from activities.postgres.post_promotion import AftermathActivities
from activities.postgres.survey import SurveyActivities
from activities.run.inventory import EstateActivities
from activities.run.models.inventory import ResolveRequest
from estate.postgres import PostgresTarget
from gate.record import Record
from workflows.run.steps import me, step

_HURRIED = timedelta(seconds=1)


async def resolve(cluster: str, by: str | None) -> PostgresTarget:
    """Look the cluster up in the estate, and who asks."""
    return await step(EstateActivities.resolve, ResolveRequest(cluster=cluster, by=by))


async def survey(
    target: PostgresTarget, *, hurried: bool = False, before: Survey | None = None, gone: tuple[str, ...] = ()
) -> Survey:
    """Look at the cluster; ``hurried`` waits less for who is probably dead, least for who was before, or is said to be."""
    request = SurveyRequest(target=target, evidence=before is None)
    if hurried:
        silent = tuple(fact.name for fact in before.members if fact.gate is None and fact.sql is None) if before else gone
        request = request.model_copy(update={"patience": _HURRIED, "silent": silent})
    found = await step(SurveyActivities.survey, request)
    return found.model_copy(update={"log_tail": ""})  # the step's answer holds it: once in a history is enough


def switch_of(target: PostgresTarget, plan: PostgresPlan) -> Switch:
    """Return the transfer that carries ``plan`` out."""
    return Switch(target=target, plan=plan, epoch=plan.epoch + 1, run=me())


async def await_redundancy(switch: Switch, since: datetime) -> Redundancy:
    """Wait for the old primary to follow synchronously."""
    leader, member = switch.plan.candidate, switch.plan.primary
    request = FollowRequest(
        target=switch.target, leader=leader, member=member, epoch=switch.epoch, run=switch.run, since=since
    )
    return await step(AftermathActivities.await_redundancy, request)


async def rejoin(target: PostgresTarget, record: Record, member: str) -> None:
    """Ask a member to follow the leader."""
    await step(AftermathActivities.rejoin, _follow(target, record, member))


async def follows(target: PostgresTarget, record: Record, member: str) -> Redundancy:
    """Wait until a member follows the leader synchronously."""
    request = _follow(target, record, member).model_copy(update={"since": workflow.now(), "asked_for": True})
    return await step(AftermathActivities.await_redundancy, request)


def _follow(target: PostgresTarget, record: Record, member: str) -> FollowRequest:
    return FollowRequest(target=target, leader=record.leader, member=member, epoch=record.epoch, run=me())
