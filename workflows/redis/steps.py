"""The steps of ``redis-failover`` as a workflow calls them: one line of summary, one posture each."""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow

from activities.postgres.models.survey import ResolveRequest
from activities.redis.election import RedisElectActivities
from activities.redis.measure import RedisMeasureActivities
from activities.redis.models import (
    Agreed,
    AgreeRequest,
    ElectRequest,
    Moved,
    Quiesced,
    RedisLook,
    RedisMeasureRequest,
    RedisSurvey,
    RedisSwitch,
    RedisVerified,
    Resumed,
)
from activities.redis.post_promotion import RedisAftermathActivities
from activities.redis.survey import RedisLookActivities
from activities.redis.transfer import RedisSwitchActivities
from activities.run.inventory import EstateActivities
from activities.run.models.measure import Measurement
from estate.redis import RedisTarget
from workflows.postgres.steps import me
from workflows.run.postures import ALONGSIDE, COMPENSATE, FORWARD, INSISTENT, MUTATE, OBSERVE, OBSERVE_LONG, URGENT


async def resolve(master: str) -> RedisTarget:
    """Look the deployment up in the estate."""
    return await workflow.execute_activity_method(
        EstateActivities.resolve_redis, ResolveRequest(cluster=master), summary=f"look up {master}", **OBSERVE
    )


async def survey(target: RedisTarget) -> RedisSurvey:
    """Ask every server and every Sentinel."""
    return await workflow.execute_activity_method(
        RedisLookActivities.survey, RedisLook(target=target), summary=f"survey {target.name}", **OBSERVE
    )


async def settle(target: RedisTarget) -> tuple[str, ...]:
    """Wait for a failover that is under way, and let servers that wrongly take themselves for the master follow it."""
    return await workflow.execute_activity_method(
        RedisAftermathActivities.settle,
        RedisLook(target=target),
        summary="settle what an earlier failover left",
        **MUTATE,
    )


async def quiesce(switch: RedisSwitch) -> Quiesced:
    """Hold writers back until the replicas have everything."""
    return await workflow.execute_activity_method(
        RedisSwitchActivities.quiesce, switch, summary=f"hold writes back at {switch.plan.primary}", **URGENT
    )


async def move(switch: RedisSwitch, *, insist: bool = False) -> Moved:
    """Let a Sentinel promote; ``insist`` once it is known that another server leads."""
    return await workflow.execute_activity_method(
        RedisSwitchActivities.switch,
        switch,
        summary=f"promote {switch.plan.candidate}",
        **(FORWARD if insist else URGENT),
    )


async def elected(switch: RedisSwitch, insist_after: timedelta, *, by_word: bool, given_up: str) -> Moved:
    """Wait for the Sentinels to elect, then insist."""
    return await workflow.execute_activity_method(
        RedisElectActivities.elected,
        ElectRequest(switch=switch, insist_after=insist_after, by_word=by_word, given_up=given_up),
        summary=f"the Sentinels promote {switch.plan.candidate}",
        **OBSERVE_LONG,
    )


async def resume(switch: RedisSwitch) -> Resumed:
    """Undo: let writers go on, or learn that another server leads."""
    return await workflow.execute_activity_method(
        RedisSwitchActivities.resume, switch, summary=f"undo: writes go on at {switch.plan.primary}", **COMPENSATE
    )


async def verify(switch: RedisSwitch) -> RedisVerified:
    """Prove the new master by a write."""
    return await workflow.execute_activity_method(
        RedisAftermathActivities.verify, switch, summary=f"verify by a write to {switch.plan.candidate}", **INSISTENT
    )


async def agree(switch: RedisSwitch, within: timedelta, *, only_living: bool) -> Agreed:
    """Wait for Sentinels and replicas."""
    return await workflow.execute_activity_method(
        RedisAftermathActivities.agree,
        AgreeRequest(switch=switch, within=within, only_living=only_living),
        summary=f"all agree on {switch.plan.candidate}",
        **FORWARD,
    )


def measure(target: RedisTarget) -> workflow.ActivityHandle[Measurement]:
    """Start the measuring writer; cancel it to get its answer."""
    return workflow.start_activity_method(
        RedisMeasureActivities.measure,
        RedisMeasureRequest(target=target, run=me()),
        summary="measure outage and loss",
        **ALONGSIDE,
    )
