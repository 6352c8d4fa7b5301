"""Decides from a survey whether the replica may be promoted, and what would be lost by it. Pure.

Missing data means no. What Azure does not say, and what the replica does not answer, is never taken for good: the roles, the
endpoint that applications follow, and how far the replica is behind must be known before anybody is asked to approve.
"""

from __future__ import annotations

from math import ceil

from activities.region.models import READY, AzureFact, FlexiblePlan, FlexibleSurvey, Lag, Role
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import LIVING, Condition, Diagnosis
from estate.flexible import FlexibleTarget
from gate.record import Mode
from workflows.region.loss import Pair, lags_of, missing_of
from workflows.region.models import RegionDatabaseRequest

_PAIR = 2


def make_flexible_plan(request: RegionDatabaseRequest, target: FlexibleTarget, survey: FlexibleSurvey) -> FlexiblePlan:
    """Return the plan. Raises refusals as ApplicationError: one sentence with a name or a number."""
    mode = request.mode
    old, new = _roles(request, target, survey)
    _must_be_ready(mode, old, new)
    _must_be_routed(mode, target, survey, old.name, new.name)
    _must_answer(mode, survey, old.name, new.name)
    lags = lags_of(survey, old.name, new.name, request.down_since)
    missing = missing_of(request, target, survey, lags, Pair(old.name, new.name))
    limit = (request.max_missing or target.database.thresholds.forced_lag).total_seconds()
    diagnosis = _diagnosis(survey, old) if mode is Mode.FORCED else None
    return FlexiblePlan(
        cluster=target.name,
        mode=mode,
        primary=old.name,
        candidate=new.name,
        steps=_steps(mode, target, old.name, new.name),
        diagnosis=diagnosis,
        lossless=mode is Mode.PLANNED,
        loss=_loss(mode, lags, missing, limit),
        lags=lags,
        down_since=request.down_since,
        max_missing=request.max_missing,
        missing_seconds=missing,
        alive=diagnosis is not None and diagnosis.condition in LIVING,
        warnings=_warnings(mode, survey, target, old, new),
    ).sealed()


def must_be_given_up(plan: FlexiblePlan, *, attested: bool) -> None:
    """Refuse a forced failover of a primary that answers, unless a person has said that it is to be given up."""
    if plan.diagnosis is not None and plan.diagnosis.condition in LIVING and not attested:
        raise refuse(
            Refusal.PRIMARY_ALIVE,
            f"{plan.diagnosis.reason}: a planned failover loses nothing (--mode planned); to give it up with what the"
            " replica has not received, add --attest",
        )


def _diagnosis(survey: FlexibleSurvey, old: AzureFact) -> Diagnosis:
    """Say what has become of the old primary, by Azure and by SQL."""
    sql = survey.sql_of(old.name)
    if sql.in_recovery is False:
        condition, reason = Condition.ALIVE, f"{old.name} answers SQL and is the primary"
    elif sql.silence.is_answer:
        condition, reason = Condition.BUSY, f"{old.name} answers, and turns clients away"
    else:
        condition, reason = Condition.UNREACHABLE, f"{old.name} does not answer"
    evidence = (f"Azure: {old.error or f'{old.role.value}, {old.state}'}", f"SQL: {sql.error or 'it answers'}")
    return Diagnosis(condition=condition, reason=reason, evidence=evidence)


def _roles(request: RegionDatabaseRequest, target: FlexibleTarget, survey: FlexibleSurvey) -> tuple[AzureFact, AzureFact]:
    """Return the primary and the replica, as Azure has them."""
    _must_be_another(request, target, survey)
    silent = [f"{one.name}: {one.error}" for one in survey.azure if one.error]
    if request.mode is Mode.FORCED and (pair := _by_the_replica(survey)) is not None:
        return pair
    if silent:
        raise refuse(Refusal.UNREACHABLE, f"Azure does not say what the servers are: {'; '.join(silent)}")
    primaries = [one for one in survey.azure if one.role is Role.PRIMARY]
    replicas = [one for one in survey.azure if one.role is Role.REPLICA]
    if (lost := survey.lost_primary) is not None:
        raise refuse(
            Refusal.NO_STANDBY,
            f"{target.place(lost)} does not answer, and Azure lists it as primary still, as it does after a forced failover"
            f" until the region returns: {target.database.other(lost)} leads, and there is no replica to promote",
        )
    if len(primaries) == _PAIR:
        names = " and ".join(target.place(one.name) for one in primaries)
        raise refuse(
            Refusal.TWO_PRIMARIES,
            f"{names} are both primary, and both answer: find out which one applications write to, and make the other one"
            " its replica again",
        )
    if len(primaries) != 1 or len(replicas) != 1 or replicas[0].source != primaries[0].name:
        told = ", ".join(f"{one.name}: {one.role.value}{f' of {one.source}' if one.source else ''}" for one in survey.azure)
        raise refuse(Refusal.NO_STANDBY, f"there is no replica to promote; Azure says {told}")
    return primaries[0], replicas[0]


def _by_the_replica(survey: FlexibleSurvey) -> tuple[AzureFact, AzureFact] | None:
    """Return the pair by the replica's word alone: where a region is lost, Azure may not answer for its servers."""
    silent = [one for one in survey.azure if one.error]
    replicas = [one for one in survey.azure if one.role is Role.REPLICA]
    if len(silent) != 1 or len(replicas) != 1 or replicas[0].source != silent[0].name:
        return None
    return silent[0], replicas[0]


def _must_be_another(request: RegionDatabaseRequest, target: FlexibleTarget, survey: FlexibleSurvey) -> None:
    """Refuse a server that is none of the two, or that leads already: by its own word, and by the endpoint's name."""
    wanted = request.to
    if wanted is None:
        return
    if wanted not in target.database.servers:
        known = ", ".join(target.database.servers)
        raise refuse(Refusal.BAD_INPUT, f"to: {wanted} is no server of {target.name}; there is {known}")
    takes_writes = survey.sql_of(wanted).in_recovery is False or survey.azure_of(wanted).role is Role.PRIMARY
    if takes_writes and survey.endpoint.leads_to == wanted:
        raise refuse(
            Refusal.MOVED_ALREADY, f"{wanted} leads {target.name} already, and {target.database.writer} leads to it"
        )
    if takes_writes:
        leads = survey.endpoint.leads_to or survey.endpoint.error or "no server that is known"
        raise refuse(
            Refusal.MOVED_ALREADY,
            f"{wanted} is the primary of {target.name} already, but {target.database.writer} leads to {leads}: see its DNS"
            f" record, then failover doctor {target.name}",
        )


def _must_be_ready(mode: Mode, old: AzureFact, new: AzureFact) -> None:
    needed = (old, new) if mode is Mode.PLANNED else (new,)
    for one in needed:
        if one.state != READY:
            raise refuse(
                Refusal.BUSY, f"{one.name} is {one.state or 'in no known state'}, not Ready: wait until that has ended"
            )
    sizes = {one.name: f"{one.sku or 'unknown'} with {one.storage_gb or 'unknown'} GB" for one in (old, new)}
    differ = old.storage_gb and new.storage_gb and old.storage_gb != new.storage_gb
    if mode is Mode.PLANNED and (differ or (old.sku and new.sku and old.sku != new.sku)):
        told = ", ".join(f"{name} is {size}" for name, size in sizes.items())
        raise refuse(Refusal.NOT_WHOLE, f"Azure switches over only servers of equal size: {told}; make them equal")


def _must_be_routed(mode: Mode, target: FlexibleTarget, survey: FlexibleSurvey, old: str, new: str) -> None:
    """Refuse where the promotion would not move what applications follow."""
    name, endpoint = target.database.virtual_endpoint, survey.endpoint
    leads_there = endpoint.leads_to == old
    if mode is Mode.PLANNED and not leads_there:
        leads = endpoint.leads_to or endpoint.error or "no server that is known"
        words = f"{target.database.writer} leads to {leads}, not to {old}: see the DNS that the worker asks"
        raise refuse(Refusal.NO_ENDPOINT, f"{words} (nameserver in the estate)")
    if endpoint.silent:
        if mode is Mode.FORCED and leads_there:
            return  # Azure does not answer for a lost region; the name says that the endpoint is there
        raise refuse(Refusal.UNREACHABLE, f"the members of the virtual endpoint {name} are unknown: {endpoint.error}")
    if not endpoint.members:
        raise refuse(Refusal.NO_ENDPOINT, f"the virtual endpoint {name} cannot be read: {endpoint.error or 'it is empty'}")
    if endpoint.members[:1] != (old,) or new not in endpoint.members[1:]:
        raise refuse(
            Refusal.NO_ENDPOINT,
            f"a switchover needs the virtual endpoint {name} to lead from {old} to {new}; its members are"
            f" {', '.join(endpoint.members)}; change its members in the portal, or with az postgres flexible-server"
            " virtual-endpoint update",
        )


def _must_answer(mode: Mode, survey: FlexibleSurvey, old: str, new: str) -> None:
    replica, primary = survey.sql_of(new), survey.sql_of(old)
    if replica.in_recovery is None:
        raise refuse(Refusal.UNREACHABLE, f"{new} does not answer SQL, so nobody knows what it has: {replica.error}")
    if not replica.in_recovery:
        raise refuse(Refusal.RECORD_DISAGREES, f"Azure says that {new} is a replica, and it takes writes: look at it first")
    if mode is Mode.PLANNED and primary.in_recovery is None:
        raise refuse(
            Refusal.NO_PRIMARY, f"{old} does not answer SQL: {primary.error}; is its region lost? Then use --mode forced"
        )
    if mode is Mode.PLANNED and primary.in_recovery:
        raise refuse(Refusal.RECORD_DISAGREES, f"Azure says that {old} is the primary, and it takes no writes")
    both = primary.system_identifier and replica.system_identifier
    if both and primary.system_identifier != replica.system_identifier:
        raise refuse(Refusal.RECORD_DISAGREES, f"{new} is no copy of {old}: their system identifiers differ")
    if mode is Mode.PLANNED and survey.endpoint.refuses:
        words = f"{old} answers by its own name, and not by the one that applications write to: {survey.endpoint.refuses}"
        raise refuse(Refusal.NO_ENDPOINT, f"{words}; nobody could prove a write by that name afterwards")


def _steps(mode: Mode, target: FlexibleTarget, old: str, new: str) -> tuple[str, ...]:
    waits = (
        f"Azure stops the writes of {old}, lets {new} receive everything, and promotes it"
        if mode is Mode.PLANNED
        else f"Azure promotes {new} as it is; {old} becomes its replica when it returns"
    )
    last = (
        f"redundancy: {old} follows as the replica"
        if mode is Mode.PLANNED
        else f"redundancy: none until {target.place(old)} returns"
    )
    return (
        f"promote: one request to Azure for a {mode.value} switchover to {target.place(new)}; no way back from here",
        f"wait: {waits} (a server without data took 6 min)",
        f"verify: {target.database.writer} leads to {new}, and a write through it is read back",
        last,
    )


def _loss(mode: Mode, lags: tuple[Lag, ...], missing: float, limit: float) -> str:
    told = "; ".join(_told(lag) for lag in lags)
    if mode is Mode.PLANNED:
        return f"none: Azure stops writes first and lets the replica receive the rest ({told})"
    return f"commits of at most {ceil(missing)} s may be missing, and never more than {limit:.0f} s ({told})"


def _told(lag: Lag) -> str:
    size = "unknown bytes" if lag.behind_bytes is None else f"{lag.behind_bytes} bytes"
    most = "at most " if lag.at_most else ""
    time = "unknown seconds" if lag.behind_seconds is None else f"{most}{lag.behind_seconds:.1f} s"
    return f"{lag.witness}: {size}, {time} behind"


def _warnings(mode: Mode, survey: FlexibleSurvey, target: FlexibleTarget, old: AzureFact, new: AzureFact) -> tuple[str, ...]:
    remarks = [*survey.maintenance]
    if mode is Mode.FORCED:
        remarks.append(
            f"Clients that reach {target.place(old.name)} by its own name may write to it until Azure has made it a replica;"
            " what they write is lost"
        )
    if old.high_availability and not new.high_availability:
        remarks.append(
            f"{new.name} has no high availability, {old.name} has ({old.high_availability}): enable it afterwards"
        )
    if mode is Mode.FORCED and old.sku != new.sku and old.sku and new.sku:
        remarks.append(f"{new.name} is {new.sku}, {old.name} is {old.sku}: it may carry less")
    if mode is Mode.PLANNED and not survey.sql_of(new.name).takes_rows:
        user = target.database.login.user
        remarks.append(f"outage and loss will not be measured: create schema failover authorization {user}")
    behind, limit = survey.sql_of(old.name).behind_bytes, int(target.database.thresholds.planned_lag)
    if mode is Mode.PLANNED and 2 * (behind or 0) > limit:
        remarks.append(f"{new.name} lags {behind} bytes, more than half of the limit of {limit} (thresholds.planned_lag)")
    if old.error:
        remarks.append(f"Azure does not answer for {old.name}: {old.error}")
    if survey.endpoint.silent:
        remarks.append(f"Azure does not tell the members of the virtual endpoint: {survey.endpoint.error}")
    if survey.endpoint.leads_to != old.name:
        leads = survey.endpoint.leads_to or survey.endpoint.error or "nowhere that is known"
        remarks.append(f"{target.database.writer} leads to {leads}, and Azure says that {old.name} is the primary")
    return tuple(remarks)
