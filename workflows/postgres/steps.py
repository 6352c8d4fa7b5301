"""Every step that a PostgreSQL procedure can take, by name: activity, posture and the summary that the UI shows."""

from __future__ import annotations

from datetime import datetime, timedelta

from temporalio import workflow

from activities.postgres.claim import ClaimActivities
from activities.postgres.fencing import ProveActivities
from activities.postgres.measure import MeasureActivities
from activities.postgres.models.post_promotion import (
    Evicted,
    FinishRequest,
    FirstWrite,
    FirstWriteRequest,
    FollowRequest,
    Reconnected,
    ReconnectRequest,
    Redundancy,
    Verified,
)
from activities.postgres.models.survey import ResolveRequest, Survey, SurveyRequest, Unrenewed
from activities.postgres.models.transfer import (
    ClaimRequest,
    GiveBackRequest,
    GiveBackResult,
    PromoteRequest,
    Proof,
    ProveRequest,
    Quiet,
    Routed,
    RouteRequest,
    Settlement,
    SettleRequest,
    Switch,
)
from activities.postgres.post_promotion import AftermathActivities
from activities.postgres.preview import PreviewActivities
from activities.postgres.survey import SurveyActivities
from activities.postgres.transfer import SwitchActivities
from activities.postgres.undo import UndoActivities
from activities.run.inventory import EstateActivities
from activities.run.models.measure import Measurement, MeasureRequest
from activities.run.models.plan import Plan
from activities.run.models.report import RecordsKept, RecordsRequest, RunReport
from activities.run.models.wire import RunId
from activities.run.records import RecordsActivities
from estate.base import Target
from estate.postgres import Application, PostgresTarget
from gate.api import Fenced, GateStatus, Promoted
from gate.record import Record
from workflows.run.postures import (
    ALONGSIDE,
    COMPENSATE,
    FORWARD,
    INSISTENT,
    MUTATE,
    OBSERVE,
    OBSERVE_LONG,
    UNHURRIED,
    URGENT,
)

_HURRIED = timedelta(seconds=1)


def me() -> RunId:
    """Return this run."""
    info = workflow.info()
    return RunId(workflow_id=info.workflow_id, run_id=info.run_id)


async def resolve(cluster: str) -> PostgresTarget:
    """Look the cluster up in the estate."""
    return await workflow.execute_activity_method(
        EstateActivities.resolve, ResolveRequest(cluster=cluster), summary=f"look up {cluster}", **OBSERVE
    )


async def settle(target: PostgresTarget) -> Settlement:
    """Finish or undo what an earlier run left."""
    return await workflow.execute_activity_method(
        UndoActivities.settle,
        SettleRequest(target=target, run=me()),
        summary="settle what an earlier run left",
        **COMPENSATE,
    )


async def survey(
    target: PostgresTarget, *, hurried: bool = False, before: Survey | None = None, gone: tuple[str, ...] = ()
) -> Survey:
    """Look at the cluster; ``hurried`` waits less for who is probably dead, least for who was before, or is said to be."""
    request = SurveyRequest(target=target)
    if hurried:
        silent = tuple(fact.name for fact in before.members if fact.gate is None and fact.sql is None) if before else gone
        request = SurveyRequest(target=target, patience=_HURRIED, silent=silent)
    return await workflow.execute_activity_method(
        SurveyActivities.survey, request, summary=f"survey {target.name}", **OBSERVE
    )


async def preview(switch: Switch) -> str:
    """Ask the API server what would change."""
    return await workflow.execute_activity_method(
        PreviewActivities.preview, switch, summary="dry run of the route", **OBSERVE
    )


async def claim(target: PostgresTarget, plan: Plan) -> Switch:
    """Write the intent into the record."""
    return await workflow.execute_activity_method(
        ClaimActivities.claim,
        ClaimRequest(target=target, plan=plan, run=me()),
        summary=f"claim: intent {plan.candidate}, epoch {plan.epoch + 1}",
        **MUTATE,
    )


async def checkpoint(switch: Switch) -> GateStatus:
    """CHECKPOINT before the claim."""
    return await workflow.execute_activity_method(
        SwitchActivities.checkpoint, switch, summary=f"checkpoint {switch.plan.primary}", **UNHURRIED
    )


async def await_quiet(switch: Switch) -> Quiet:
    """Wait until no endpoint changes."""
    return await workflow.execute_activity_method(
        SwitchActivities.await_quiet, switch, summary="wait until no endpoint changes", **URGENT
    )


async def fence(switch: Switch) -> Fenced:
    """Stop the old primary cleanly."""
    return await workflow.execute_activity_method(
        SwitchActivities.fence, switch, summary=f"fence {switch.plan.primary}", **MUTATE
    )


def prove(switch: Switch, attested_by: str, unrenewed: Unrenewed | None, node: str) -> workflow.ActivityHandle[Proof]:
    """Start to look for proof that the old primary is stopped."""
    return workflow.start_activity_method(
        ProveActivities.prove,
        ProveRequest(switch=switch, attested_by=attested_by, unrenewed=unrenewed, node=node),
        summary=f"prove that {switch.plan.primary} is stopped",
        **ALONGSIDE,
    )


async def promote(switch: Switch, end_lsn: str | None, wanted_lsn: str | None = None) -> Promoted:
    """Let the candidate lead."""
    return await workflow.execute_activity_method(
        SwitchActivities.promote,
        PromoteRequest(switch=switch, end_lsn=end_lsn, wanted_lsn=wanted_lsn),
        summary=f"promote {switch.plan.candidate}",
        **URGENT,
    )


async def revert(switch: Switch) -> Promoted:
    """Let the candidate of a discard lead again as it is."""
    return await workflow.execute_activity_method(
        SwitchActivities.revert, switch, summary=f"bring {switch.plan.candidate} back as it is", **MUTATE
    )


async def give_back(switch: Switch, *, never_sent: bool, claim_may_come: bool = False) -> GiveBackResult:
    """Undo claim and fence, or learn that the candidate leads."""
    return await workflow.execute_activity_method(
        UndoActivities.give_back,
        GiveBackRequest(switch=switch, never_sent=never_sent, claim_may_come=claim_may_come),
        summary=f"undo: give writes back to {switch.plan.primary}",
        **(COMPENSATE if never_sent else FORWARD),
    )


async def route(switch: Switch, epoch: int) -> Routed:
    """Let the write Service point at the candidate."""
    return await workflow.execute_activity_method(
        ClaimActivities.route,
        RouteRequest(switch=switch, epoch=epoch),
        summary=f"route writes to {switch.plan.candidate}",
        **FORWARD,
    )


async def verify(switch: Switch) -> Verified:
    """Prove the new route by a write; insists less on that of an earlier run, whose leader may have died since."""
    patience = INSISTENT if switch.run == me() else URGENT
    return await workflow.execute_activity_method(
        AftermathActivities.verify, switch, summary=f"verify by a write to {switch.plan.candidate}", **patience
    )


async def evict(switch: Switch) -> Evicted:
    """See that no session is left on the old primary."""
    return await workflow.execute_activity_method(
        AftermathActivities.evict, switch, summary=f"no session left on {switch.plan.primary}", **OBSERVE
    )


async def first_write(switch: Switch, application: Application, since: datetime) -> FirstWrite:
    """Wait for an application's first write on the new primary."""
    return await workflow.execute_activity_method(
        AftermathActivities.first_write,
        FirstWriteRequest(switch=switch, deployment=application.deployment, since=since),
        summary=f"{application.deployment} writes again",
        **OBSERVE_LONG,
    )


async def reconnect(switch: Switch, application: Application, since: datetime, *, must_restart: bool) -> Reconnected:
    """Bring one application over."""
    return await workflow.execute_activity_method(
        AftermathActivities.reconnect,
        ReconnectRequest(switch=switch, application=application, since=since, must_restart=must_restart),
        summary=f"reconnect {application.deployment}",
        **FORWARD,
    )


async def await_redundancy(switch: Switch, since: datetime) -> Redundancy:
    """Wait for the old primary to follow synchronously."""
    return await workflow.execute_activity_method(
        AftermathActivities.await_redundancy,
        FollowRequest(
            target=switch.target,
            leader=switch.plan.candidate,
            member=switch.plan.primary,
            epoch=switch.epoch,
            run=switch.run,
            since=since,
        ),
        summary=f"{switch.plan.primary} follows {switch.plan.candidate}",
        **FORWARD,
    )


async def rejoin(target: PostgresTarget, record: Record, member: str) -> None:
    """Ask a member to follow the leader."""
    await workflow.execute_activity_method(
        AftermathActivities.rejoin,
        FollowRequest(target=target, leader=record.leader, member=member, epoch=record.epoch, run=me()),
        summary=f"ask {member} to follow {record.leader}",
        **MUTATE,
    )


async def follows(target: PostgresTarget, record: Record, member: str) -> Redundancy:
    """Wait until a member follows the leader synchronously."""
    return await workflow.execute_activity_method(
        AftermathActivities.await_redundancy,
        FollowRequest(
            target=target,
            leader=record.leader,
            member=member,
            epoch=record.epoch,
            run=me(),
            since=workflow.now(),
            asked_for=True,
        ),
        summary=f"{member} follows {record.leader}",
        **FORWARD,
    )


async def finish(switch: Switch) -> None:
    """Take the mark of an unfinished switch off the record."""
    await workflow.execute_activity_method(
        ClaimActivities.finish, FinishRequest(switch=switch), summary="mark as finished", **FORWARD
    )


def measure(target: PostgresTarget) -> workflow.ActivityHandle[Measurement]:
    """Start the measuring writer; cancel it to get its answer."""
    return workflow.start_activity_method(
        MeasureActivities.measure,
        MeasureRequest(target=target, run=me()),
        summary="measure outage and loss",
        **ALONGSIDE,
    )


async def keep(target: Target | None, report: RunReport, *, touch_nothing: bool) -> RecordsKept:
    """Keep the report."""
    records = None if target is None or touch_nothing else target.records
    return await workflow.execute_activity_method(
        RecordsActivities.keep,
        RecordsRequest(records=records, report=report),
        summary="keep the report",
        **OBSERVE,
    )
