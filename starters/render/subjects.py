"""What each procedure's report shows of its own: one entry for each kind of details, and a plain one for any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

from activities.drills.models import DrillDetails
from activities.nodes.run_models import NodeDetails
from activities.pods.models import PodDetails
from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import PostgresPlan
from activities.redis.models import RedisDetails, RedisPlan
from activities.region.failover_models import RegionDetails
from activities.region.models import FlexibleDetails
from activities.region.recovery_models import RegionRecoveryDetails
from activities.region.returning_models import RegionFenceDetails
from activities.run.models.report import Details, Known
from activities.traffic.gateway_models import GatewayDetails
from activities.traffic.models import TrafficDetails
from starters.history.model import Facts
from starters.render.drills import drill_lines
from starters.render.gateway import gateway_lines, gateway_tables
from starters.render.members import candidates_table
from starters.render.nodes import node_lines, node_tables
from starters.render.pods import evidence_lines, pod_lines, pod_tables
from starters.render.postgres import postgres_lines, postgres_tables
from starters.render.redis import redis_lines, redis_tables
from starters.render.region import flexible_lines, flexible_tables
from starters.render.region_failover import region_lines, region_tables
from starters.render.region_returning import fence_lines, recovery_lines, seen_of
from starters.render.traffic import traffic_lines, traffic_tables


def _no_tables(_: Known) -> list[RenderableType]:
    return []


@dataclass(frozen=True)
class Own:
    """How one procedure's part of a report is shown."""

    lines: Callable[[Known], list[str]]
    """What was done and measured, one sentence a line."""
    tables: Callable[[Known], list[RenderableType]] = _no_tables
    """What was surveyed."""
    candidates: Callable[[Known], list[RenderableType]] = _no_tables
    seen: Callable[[Known], list[str]] = lambda _: []
    """What was seen, for formats without these tables."""
    counts: tuple[str, str] = ("writes acknowledged", "")
    """What the measuring client counts, and how its errors are named."""
    gaps: bool = False
    """Its longest gap is told, since no outage of writes is."""


def own(facts: Facts) -> Own:
    """Return how this run's own part is shown."""
    return _OWN.get(type(facts.known.details), _PLAIN)


def _plain_lines(known: Known) -> list[str]:
    told = known.details.model_dump(mode="json", exclude_none=True) if known.details else {}
    return [f"{name.replace('_', ' ')}: {_short(value)}" for name, value in told.items() if value not in ("", [], {})]


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)


def _postgres_candidates(known: Known) -> list[RenderableType]:
    plan = known.plan
    return [candidates_table(plan.candidates, plan.candidate)] if isinstance(plan, PostgresPlan) and plan.candidates else []


def _redis_candidates(known: Known) -> list[RenderableType]:
    plan = known.plan
    return (
        [candidates_table(plan.candidates, plan.candidate, "-")] if isinstance(plan, RedisPlan) and plan.candidates else []
    )


def _of_redis(known: Known) -> list[RenderableType]:
    survey = known.of(RedisDetails).survey
    return redis_tables(survey) if survey else []


def _of_flexible(known: Known) -> list[RenderableType]:
    survey = known.of(FlexibleDetails).survey
    return flexible_tables(survey) if survey else []


def _of_traffic(known: Known) -> list[RenderableType]:
    survey = known.of(TrafficDetails).survey
    return traffic_tables(survey) if survey else []


def _of_gateway(known: Known) -> list[RenderableType]:
    survey = known.of(GatewayDetails).survey
    return gateway_tables(survey) if survey else []


def _of_pods(known: Known) -> list[RenderableType]:
    survey = known.of(PodDetails).survey
    return pod_tables(survey) if survey else []


def _of_nodes(known: Known) -> list[RenderableType]:
    survey = known.of(NodeDetails).survey
    return node_tables(survey) if survey else []


def _seen_of_pods(known: Known) -> list[str]:
    survey = known.of(PodDetails).survey
    return evidence_lines(survey) if survey else []


_PLAIN = Own(_plain_lines)
_OWN: dict[type[Details | None], Own] = {
    type(None): Own(lambda _: []),
    PostgresDetails: Own(
        postgres_lines,
        lambda known: postgres_tables(known.of(PostgresDetails)),
        _postgres_candidates,
        counts=("writes acknowledged", " by SQLSTATE"),
    ),
    RedisDetails: Own(lambda known: redis_lines(known.of(RedisDetails)), _of_redis, _redis_candidates),
    PodDetails: Own(
        lambda known: pod_lines(known.of(PodDetails)), _of_pods, seen=_seen_of_pods, counts=("answers", ""), gaps=True
    ),
    FlexibleDetails: Own(
        lambda known: flexible_lines(known.of(FlexibleDetails)), _of_flexible, counts=("writes acknowledged", " by SQLSTATE")
    ),
    TrafficDetails: Own(lambda known: traffic_lines(known.of(TrafficDetails)), _of_traffic),
    GatewayDetails: Own(lambda known: gateway_lines(known.of(GatewayDetails)), _of_gateway),
    RegionDetails: Own(region_lines, region_tables),
    RegionFenceDetails: Own(lambda known: fence_lines(known.of(RegionFenceDetails)), seen_of),
    RegionRecoveryDetails: Own(lambda known: recovery_lines(known.of(RegionRecoveryDetails)), seen_of),
    DrillDetails: Own(lambda known: drill_lines(known.of(DrillDetails)), counts=("answers", ""), gaps=True),
    NodeDetails: Own(lambda known: node_lines(known.of(NodeDetails)), _of_nodes),
}
