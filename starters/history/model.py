"""What is known about a run, whether it has ended well, badly, by a terminated workflow, or not at all yet.

A run that ended writes its own report as the last step's input; then that is the source. A run that is open, or that
somebody terminated, has no such report: what its finished steps answered is used instead.
"""

from __future__ import annotations

from datetime import UTC, datetime

from activities.nodes.machine_models import NodeProof
from activities.nodes.models import Drained, NodeSettled, NodeSurvey
from activities.pods.models import Mended, Replaced, Struck, WorkloadSurvey
from activities.postgres.models.post_promotion import Evicted, Reconnected, Redundancy, Verified
from activities.postgres.models.survey import Survey
from activities.postgres.models.transfer import Proof, Routed, Settlement
from activities.redis.models import Agreed, Moved, Quiesced, RedisSurvey, RedisVerified
from activities.run.models.measure import Measurement
from activities.run.models.report import Known, Outcome
from activities.run.models.todo import Todo, todo
from activities.run.models.wire import Wire
from estate.nodes import NodeTarget
from estate.redis import RedisTarget
from estate.workloads import WorkloadTarget
from gate.api import Adopted, Fenced, Promoted
from starters.history.objective import Verdict, verdict_of
from starters.history.parse import Chronicle, decode, target_of
from starters.history.timing import Timing, timing_of
from workflows.run.phases import Trait, has

_AFTER_A_STOP = (todo(Todo.RECOVER, "start the same run again: it first settles what this one left behind"),)


class Asked(Wire):
    """The request, as far as it can be read."""

    cluster: str = ""
    mode: str = ""
    run: str = ""
    by: str = ""
    reason: str = ""
    to: str = ""


class StepFact(Wire):
    """One step of the history."""

    name: str
    what: str
    scheduled: datetime
    ended: datetime | None
    end: str
    attempts: int
    failure: str


class Facts(Wire):
    """Everything that a report shows."""

    workflow: str
    workflow_id: str
    run_id: str
    asked: Asked
    open: bool
    waits_for_people: bool
    phase: str
    """Phase entered last; empty before a worker has touched the run."""
    outcome: Outcome | None
    """``None`` while open, and when the run ended without writing its report (terminated)."""
    close: str
    """How Temporal closed it; empty while open."""
    reason: str
    """One sentence: why it ended like this."""
    refusal: str
    started_at: datetime
    finished_at: datetime | None
    cancel_asked_at: datetime | None
    roles: tuple[str, ...]
    """Roles that the policy asks approval of."""
    known: Known
    steps: tuple[StepFact, ...]
    timing: Timing
    verdict: Verdict


def facts_of(chronicle: Chronicle, now: datetime | None = None) -> Facts:
    """Return what ``chronicle`` tells; a run without a close is judged as of ``now``."""
    report, now = chronicle.report, now or datetime.now(UTC)
    known = Known.model_validate(report, from_attributes=True) if report else _known_so_far(chronicle)
    return Facts(
        workflow=chronicle.workflow,
        workflow_id=chronicle.workflow_id,
        run_id=chronicle.run_id,
        asked=_asked(chronicle),
        open=chronicle.is_open,
        waits_for_people=chronicle.is_open and has(chronicle.phase, Trait.WAITS_FOR_PEOPLE),
        phase=chronicle.phase,
        outcome=report.outcome if report else None,
        close=chronicle.close,
        reason=report.reason if report else chronicle.failure,
        refusal=report.refusal if report else "",
        started_at=chronicle.started_at or now,
        finished_at=chronicle.finished_at,
        cancel_asked_at=chronicle.cancel_asked,
        roles=_roles(chronicle),
        known=known,
        steps=_steps(chronicle),
        timing=timing_of(chronicle, chronicle.finished_at or now),
        verdict=verdict_of(chronicle, known.measurement),
    )


def _asked(chronicle: Chronicle) -> Asked:
    def text(key: str) -> str:
        value = chronicle.asked.get(key)
        return value if isinstance(value, str) else ""

    return Asked(
        cluster=target_of(chronicle.asked),
        mode=text("mode") or ("rejoin" if chronicle.workflow == "postgres-rejoin" else ""),
        run=text("run") or "plan",
        by=text("by"),
        reason=text("reason"),
        to=text("to") or text("member") or text("pod"),
    )


def _steps(chronicle: Chronicle) -> tuple[StepFact, ...]:
    return tuple(
        StepFact(
            name=step.name,
            what=step.what,
            scheduled=step.scheduled,
            ended=step.ended,
            end=step.end,
            attempts=step.attempts,
            failure=step.failure,
        )
        for step in chronicle.steps.values()
    )


def _roles(chronicle: Chronicle) -> tuple[str, ...]:
    target = chronicle.target
    if target is None or chronicle.workflow == "postgres-rejoin":
        return ()
    if isinstance(target, NodeTarget):
        approvals = target.settings.approvals
        return (approvals.forced if chronicle.asked.get("mode") == "forced" else approvals.planned).roles
    if isinstance(target, WorkloadTarget):
        return getattr(target.workload.approvals, "drill" if chronicle.asked.get("run") == "drill" else "failover").roles  # type: ignore[no-any-return]
    policies = target.deployment.approvals if isinstance(target, RedisTarget) else target.cluster.approvals
    kinds = {"postgres-rollback": "rollback", "postgres-adopt": "adopt"}
    usual = "forced" if chronicle.asked.get("mode") == "forced" else "planned"
    roles: tuple[str, ...] = getattr(policies, kinds.get(chronicle.workflow, usual)).roles
    return roles


def _known_so_far(chronicle: Chronicle) -> Known:
    """Gather what the finished steps of a run without a report have answered."""
    answered = chronicle.result_of
    reconnected = (decode(step.result, Reconnected) for step in chronicle.steps_named("kubernetes.reconnect"))
    return Known(
        plan=chronicle.plan,
        survey=answered("postgres.survey", Survey),
        settlement=answered("postgres.settle", Settlement),
        votes=tuple(chronicle.votes),
        fenced=answered("postgres.fence", Fenced),
        proof=answered("postgres.prove", Proof),
        promoted=answered("postgres.promote", Promoted) or answered("postgres.revert", Promoted),
        routed=answered("postgres.route", Routed),
        adopted=answered("postgres.adopt", Adopted),
        verified=answered("postgres.verify", Verified),
        evicted=answered("postgres.evict", Evicted),
        reconnected=tuple(one for one in reconnected if one is not None),
        redundancy=answered("postgres.await_redundancy", Redundancy),
        measurement=answered("postgres.measure", Measurement)
        or answered("redis.measure", Measurement)
        or answered("pods.measure", Measurement),
        redis=answered("redis.survey", RedisSurvey),
        quiesced=answered("redis.quiesce", Quiesced),
        moved=answered("redis.switch", Moved) or answered("redis.elected", Moved),
        redis_verified=answered("redis.verify", RedisVerified),
        agreed=answered("redis.agree", Agreed),
        node=answered("node.survey", NodeSurvey),
        node_proof=answered("node.stopped", NodeProof),
        drained=answered("node.drain", Drained),
        node_settled=answered("node.settled", NodeSettled),
        workload=answered("pods.survey", WorkloadSurvey),
        struck=answered("pods.strike", Struck),
        replaced=answered("pods.replace", Replaced),
        mended=answered("pods.mended", Mended),
        left_to_do=_AFTER_A_STOP if chronicle.close and chronicle.steps_named("postgres.claim") else (),
    )
