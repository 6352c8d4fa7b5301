"""What others need to know of the Redis procedure."""

from __future__ import annotations

from activities.clients.bundle import Clients
from activities.redis.election import RedisElectActivities
from activities.redis.measure import RedisMeasureActivities
from activities.redis.models import RedisDetails, RedisPlan
from activities.redis.post_promotion import RedisAftermathActivities
from activities.redis.survey import RedisLookActivities
from activities.redis.transfer import RedisSwitchActivities
from estate.redis import RedisTarget
from workflows.redis.failover import RedisFailover
from workflows.redis.models import RedisFailoverRequest
from workflows.run.phases import Part, ReportPhase, Shown
from workflows.run.procedure import ProcedureSpec, Remedies


def _owners(clients: Clients) -> tuple[object, ...]:
    redis = clients.redis
    return (
        RedisLookActivities(redis),
        RedisSwitchActivities(redis),
        RedisElectActivities(redis),
        RedisAftermathActivities(redis),
        RedisMeasureActivities(redis),
    )


SPECS = (
    ProcedureSpec(
        runs=RedisFailover,
        request=RedisFailoverRequest,
        target=RedisTarget,
        plan=RedisPlan,
        details=RedisDetails,
        serves=_owners,
        example="mymaster",
        steps={
            "estate.resolve_redis": Shown(ReportPhase.DECIDE, resolves=True),
            "redis.survey": Shown(ReportPhase.DECIDE, "survey"),
            "redis.settle": Shown(ReportPhase.DECIDE),
            "redis.quiesce": Shown(ReportPhase.FENCE, "quiesced", Part.STOPS),
            "redis.switch": Shown(ReportPhase.PROMOTE, "moved", Part.MOVES),
            "redis.force_election": Shown(ReportPhase.PROMOTE, "moved", Part.MOVES),
            "redis.verify": Shown(ReportPhase.VERIFY, "verified", Part.PROVES),
            "redis.agree": Shown(ReportPhase.REDUNDANCY, "agreed"),
            "redis.resume": Shown(ReportPhase.UNDO, part=Part.UNDOES),
            "redis.measure": Shown(measures=True),
        },
        remedies=Remedies(
            stranded="The new master leads; what is listed as left to do is not done. Sentinel goes on with it.",
            undo_incomplete="Nobody could find out who is the master. Redis ends a hold of writes automatically, after"
            " thresholds.pause.",
            cut_off="It was ended from outside ({close}): Redis ends its pause automatically, and Sentinel its failover.",
            look="failover doctor {target}",
            again="Starting it again is safe: it first recovers what is left.",
        ),
        rows=(
            ReportPhase.DECIDE,
            ReportPhase.FENCE,
            ReportPhase.PROMOTE,
            ReportPhase.VERIFY,
            ReportPhase.REDUNDANCY,
        ),
    ),
)
