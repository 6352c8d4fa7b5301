"""Decides from a survey whether a Redis failover may happen. Pure, so that every branch is a plain test.

Sentinel chooses among the replicas by itself (priority, then what it last saw of their offsets), so a plan names all that
it may choose, and a planned failover waits until every one of them has everything.

Missing data means no: a majority of *all* Sentinels must name the master, or a person must take it upon themselves.
"""

from __future__ import annotations

from activities.redis.models import RedisPlan, RedisRole, RedisSurvey, SentinelFact, ServerFact
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Condition, Diagnosis
from activities.run.models.plan import Candidate
from estate.redis import RedisTarget
from gate.record import Mode

_FORCED_LOSS = (
    "unknown: replication is asynchronous; what the old master acknowledged and no replica had received is lost."
    " One that is cut off refuses writes by itself once its replicas have been silent for min-replicas-max-lag"
)


def make_redis_plan(target: RedisTarget, survey: RedisSurvey, mode: Mode) -> RedisPlan:
    """Return the plan. Raises refusals as ApplicationError: one sentence with a name or a number."""
    if survey.fails_over and mode is Mode.PLANNED:
        busy = next(fact.name for fact in survey.sentinels if fact.fails_over)
        raise refuse(Refusal.CLAIMED_ELSEWHERE, f"a failover is under way at {busy}; wait for its end")
    return _planned(target, survey) if mode is Mode.PLANNED else _forced(target, survey)


def _planned(target: RedisTarget, survey: RedisSurvey) -> RedisPlan:
    old = _named_master(survey)
    if not old.is_master:
        raise refuse(Refusal.NO_PRIMARY, f"{old.name}, whom the Sentinels name, is no master; wait for them, or look closer")
    if not survey.can_decide:
        raise refuse(Refusal.NO_QUORUM, f"the Sentinels cannot authorize a failover: {_why_not(survey.sentinels)}")
    candidates = tuple(_candidate(fact, old, target) for fact in survey.servers if fact.name != old.name)
    _nobody_lags(candidates, target)
    chosen = _must_be_some(candidates)
    steps = (
        f"quiesce: {old.name} holds writes back until {_list(chosen)} have everything it wrote",
        f"switch: a Sentinel promotes {_choice(chosen)} (no way back from then on)",
        f"demote: {old.name} follows it at once, and its clients are sent away",
        "verify: a client that asks the Sentinels writes to the new master and reads it back",
        "agree: every Sentinel names the new master, every other server follows it",
    )
    return RedisPlan(
            cluster=target.name, mode=Mode.PLANNED, primary=old.name, candidate=_choice(chosen), candidates=candidates,
            steps=steps, loss="none: writes are held back until the replicas have everything",
    ).sealed()  # fmt: skip


def _forced(target: RedisTarget, survey: RedisSurvey) -> RedisPlan:
    address = survey.named or survey.newest_word
    if not address:
        words = "; ".join(f"{fact.name}: {fact.error or 'names nobody'}" for fact in survey.sentinels)
        raise refuse(Refusal.NO_QUORUM, f"no Sentinel says who the master is ({words}); start one first")
    old = survey.server_at(address)
    name = old.name if old else _absent(survey, address)
    candidates = tuple(_forced_candidate(fact, survey) for fact in survey.servers if fact.name != name)
    chosen = _must_be_some(candidates)
    diagnosis = _diagnosis(old, name, address, survey)
    steps = (
        f"elect: the Sentinels promote {_choice(chosen)}",
        f"insist: after {target.deployment.thresholds.elected_within}, sooner after an attestation, one of them is told to",
        "verify: a client that asks the Sentinels writes to the new master and reads it back",
        f"agree: every Sentinel that lives names the new master, the others follow it; {name} does when it comes back",
    )
    return RedisPlan(
            cluster=target.name, mode=Mode.FORCED, primary=name, candidate=_choice(chosen), candidates=candidates,
            steps=steps, diagnosis=diagnosis, lossless=False, loss=_FORCED_LOSS,
            attestation=_attestation(old, name, survey),
    ).sealed()  # fmt: skip


def eligible_of(plan: RedisPlan) -> tuple[str, ...]:
    """Return the servers of which Sentinel may choose one."""
    return tuple(one.name for one in plan.candidates if one.eligible)


def must_not_have_moved(target: RedisTarget, survey: RedisSurvey, member: str | None) -> None:
    """Refuse to replace another master than ``member``: Sentinel may have replaced that one a moment ago.

    Then the newest word of those that answer is enough, with the new master's own: the other Sentinels hear of it within
    a second or two.
    """
    leader, servers = survey.server_at(survey.named or survey.newest_among_most), target.deployment.servers
    if member and member not in servers:
        raise refuse(Refusal.BAD_INPUT, f"member: {member} is no server of {target.name}; there are {', '.join(servers)}")
    if member and leader is not None and leader.is_master and leader.name != member:
        at = f"{leader.name} at {leader.address}"
        words = f"{member} is not the master of {target.name} any more, {at} is: nothing is to be done"
        raise refuse(Refusal.MOVED_ALREADY, words)


def must_be_meant(plan: RedisPlan, survey: RedisSurvey, member: str | None) -> None:
    """Refuse a run that names another server than the one that is given up, or may be."""
    if not member or member == plan.primary:
        return
    named = survey.server(member)
    is_unknown = survey.server(plan.primary) is None  # only its address is known, since several are silent
    if not is_unknown or named is None or named.role is not None:
        said = survey.server(plan.primary)
        state = "and answers" if said is not None and said.is_master else "and does not answer"
        raise refuse(Refusal.NO_PRIMARY, f"member: {member} is not the master, {plan.primary} is, {state}")


def must_not_live(plan: RedisPlan, survey: RedisSurvey, *, given_up: str | None) -> None:
    """Refuse a forced failover of a master that answers, unless a person has ``given_up`` that very one."""
    old = survey.server(plan.primary)
    if old is None or given_up == old.name:
        return
    even_so = f"to replace it even so, attest and name it: --attest --member {old.name}"
    if old.is_master:
        raise refuse(Refusal.PRIMARY_ALIVE, f"{old.name} answers and is the master: mode planned loses nothing; {even_so}")
    if _may_live(old, survey):
        words = f"{old.name} turns the worker away, so it lives, and may be the master: correct its password or ACL"
        raise refuse(Refusal.PRIMARY_ALIVE, f"{words}; {even_so}")


def _may_live(old: ServerFact, survey: RedisSurvey) -> bool:
    """Whether ``old`` answers, with a no, and the Sentinels do not hold the master for down."""
    turns_away = old.role is None and old.silence is not None and old.silence.is_answer
    return turns_away and not survey.holds_it_for_down


def address_of(plan: RedisPlan, survey: RedisSurvey) -> str:
    """Return the address of the master that is to be replaced."""
    old = survey.server(plan.primary)
    return old.address if old and old.address else survey.named or survey.newest_word


def _named_master(survey: RedisSurvey) -> ServerFact:
    if not survey.named:
        said = ", ".join(f"{fact.name}: {fact.master or fact.error or 'nobody'}" for fact in survey.sentinels)
        raise refuse(Refusal.NO_QUORUM, f"no majority ({survey.majority}) of the Sentinels names one master: {said}")
    if survey.master is None:
        silent = ", ".join(f"{fact.name} ({fact.error})" for fact in survey.servers if fact.role is None) or "nobody"
        words = f"the master at {survey.named} does not answer; silent: {silent}; if it is gone: mode forced"
        raise refuse(Refusal.NO_PRIMARY, words)
    return survey.master


def _candidate(fact: ServerFact, old: ServerFact, target: RedisTarget) -> Candidate:
    lag = max(old.offset - fact.offset, 0) if fact.role is RedisRole.REPLICA else None
    why = _why_no_replica(fact)
    if not why and (fact.follows != old.address or not fact.link_up):
        why = f"does not receive the stream of {old.name} (follows {fact.follows}, link {'up' if fact.link_up else 'down'})"
    if why:
        return Candidate(name=fact.name, eligible=False, reason=why, lag_bytes=lag)
    within = f"{lag} bytes behind, the limit is {int(target.deployment.thresholds.planned_lag)}"
    return Candidate(name=fact.name, eligible=True, reason=within, lag_bytes=lag)


def _forced_candidate(fact: ServerFact, survey: RedisSurvey) -> Candidate:
    if fact.is_master and survey.fails_over:
        return Candidate(name=fact.name, eligible=True, reason="a Sentinel has just promoted it")
    if why := _why_no_replica(fact):
        return Candidate(name=fact.name, eligible=False, reason=why)
    return Candidate(name=fact.name, eligible=True, reason=f"has received {fact.offset} bytes of the stream")


def _why_no_replica(fact: ServerFact) -> str:
    if fact.role is None:
        return f"does not answer: {fact.error}"
    if fact.role is RedisRole.MASTER:
        return "takes itself for a master"
    return "has priority 0: Sentinel never promotes it" if fact.priority == 0 else ""


def _nobody_lags(candidates: tuple[Candidate, ...], target: RedisTarget) -> None:
    limit = int(target.deployment.thresholds.planned_lag)
    for one in candidates:
        if one.eligible and (one.lag_bytes or 0) > limit:
            raise refuse(Refusal.LAG_TOO_LARGE, f"{one.name} lags {one.lag_bytes} bytes, the limit is {limit}")


def _must_be_some(candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
    chosen = tuple(one.name for one in candidates if one.eligible)
    if not chosen:
        why = "; ".join(f"{one.name} {one.reason}" for one in candidates)
        raise refuse(Refusal.NO_STANDBY, f"no replica can be promoted: {why}")
    return chosen


def _diagnosis(old: ServerFact | None, name: str, address: str, survey: RedisSurvey) -> Diagnosis:
    down = [fact.name for fact in survey.sentinels if fact.agrees_it_is_down]
    alive = old is not None and old.is_master
    followers = [fact for fact in survey.servers if fact.follows == address]
    evidence = [
        f"{name} at {address}: {'answers as master' if alive else 'does not answer as master'}",
        *(f"{fact.name}: {_says(fact)}" for fact in survey.sentinels),
        *(f"{fact.name}: link to it {'up' if fact.link_up else 'down'}" for fact in followers),
    ]
    silent = f"{name} does not answer; {len(down)} of {len(survey.sentinels)} Sentinels know that a quorum agrees"
    reason = f"{name} answers" if alive else silent
    return Diagnosis(
        condition=Condition.ALIVE if alive else Condition.DOWN if down else Condition.SILENT,
        reason=reason,
        evidence=tuple(evidence),
    )


def _says(fact: SentinelFact) -> str:
    if not fact.master:
        return fact.error or "names nobody"
    state = "a quorum agrees that it is down" if fact.agrees_it_is_down else "does not hold it for down"
    return f"names {fact.master}, {state}{', fails over' if fact.fails_over else ''}"


def _attestation(old: ServerFact | None, name: str, survey: RedisSurvey) -> str:
    if old is not None and old.is_master:
        return f"{name} answers: somebody must name it as the one to replace"
    if not survey.can_decide:
        return f"the Sentinels cannot authorize a failover ({_why_not(survey.sentinels)}): somebody must decide for them"
    return ""


def _why_not(sentinels: tuple[SentinelFact, ...]) -> str:
    return next((fact.words for fact in sentinels if fact.words), "") or "; ".join(
        f"{fact.name}: {fact.error}" for fact in sentinels if fact.error
    )


def _absent(survey: RedisSurvey, address: str) -> str:
    """Return the name of the server that is silent, if it is only one; else where the master was."""
    silent = [fact.name for fact in survey.servers if fact.role is None]
    return silent[0] if len(silent) == 1 else address


def _list(names: tuple[str, ...]) -> str:
    return " and ".join(names)


def _choice(names: tuple[str, ...]) -> str:
    return " or ".join(names)
