"""What others need to know of the Redis procedure."""

from __future__ import annotations

from activities.redis.models import RedisDetails, RedisPlan
from estate.base import ApprovalPolicy
from estate.redis import RedisTarget
from workflows.redis.failover import RedisFailover
from workflows.redis.models import RedisFailoverRequest
from workflows.run.phases import Part, ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec


def _policy(target: RedisTarget, mode: str, _: str) -> ApprovalPolicy:
    approvals = target.deployment.approvals
    return approvals.forced if mode == "forced" else approvals.planned


SPECS = (
    ProcedureSpec(
        runs=RedisFailover,
        request=RedisFailoverRequest,
        target=RedisTarget,
        plan=RedisPlan,
        details=RedisDetails,
        policy=_policy,
        example="mymaster",
        steps={
            "estate.resolve_redis": Shown(ReportPhase.DECIDE, resolves=True),
            "redis.survey": Shown(ReportPhase.DECIDE, "survey"),
            "redis.settle": Shown(ReportPhase.DECIDE),
            "redis.quiesce": Shown(ReportPhase.FENCE, "quiesced", Part.STOPS),
            "redis.switch": Shown(ReportPhase.PROMOTE, "moved", Part.MOVES),
            "redis.elected": Shown(ReportPhase.PROMOTE, "moved", Part.MOVES),
            "redis.verify": Shown(ReportPhase.VERIFY, "verified", Part.PROVES),
            "redis.agree": Shown(ReportPhase.REDUNDANCY, "agreed"),
            "redis.resume": Shown(ReportPhase.UNDO, part=Part.UNDOES),
            "redis.measure": Shown(measures=True),
        },
        rows=(
            ReportPhase.DECIDE,
            ReportPhase.FENCE,
            ReportPhase.PROMOTE,
            ReportPhase.VERIFY,
            ReportPhase.REDUNDANCY,
        ),
    ),
)
