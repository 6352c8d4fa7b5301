"""Doctor's eye on Redis: from what servers and Sentinels said to one line per finding with its remedy. Pure."""

from __future__ import annotations

from activities.redis.models import RedisRole, RedisSurvey, SentinelFact, ServerFact
from activities.run.findings import fault, ok, outage, warning
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Finding, Standing
from estate.redis import RedisTarget


def of_redis(target: RedisTarget, survey: RedisSurvey) -> list[Finding]:
    """Return what a survey shows: who is named, then each server, then each Sentinel."""
    findings = [_of_master(target, survey)]
    findings += [_of_server(fact, survey, target) for fact in survey.servers]
    findings += [_of_sentinel(fact, survey) for fact in survey.sentinels]
    return findings


def _of_master(target: RedisTarget, survey: RedisSurvey) -> Finding:
    if not survey.named:
        remedy = "start the Sentinels that are silent; without a majority nobody fails over"
        return fault(target.name, f"no majority ({survey.majority}) of the Sentinels names one master", remedy)
    if survey.fails_over:
        return warning(
            target.name, "a failover is under way", f"wait for its end: failover plan redis-failover {target.name}"
        )
    if (
        survey.master is None
        and not survey.holds_it_for_down
        and (away := [one for one in survey.servers if one.silence is Silence.TURNED_AWAY])
    ):
        names = ", ".join(one.name for one in away)
        words = f"the master at {survey.named} may be one that answers and lets us not look: {names}"
        return fault(target.name, words, "let the password's user run INFO, and CONFIG GET or give the Sentinels time")
    if survey.master is None and not survey.holds_it_for_down:
        words = f"{_silent_master(survey)} here, and no quorum of the Sentinels holds it for down"
        return fault(target.name, words, f"see the network of whoever looks; plan: {_forced(target, survey)}")
    if survey.master is None:
        return outage(target.name, f"WRITES ARE DOWN: {_silent_master(survey)}", _forced(target, survey))
    return ok(target.name, f"a majority of the Sentinels names {survey.master.name}")


def _suspects(survey: RedisSurvey) -> list[str]:
    """Return the servers that may be the silent master: one that does not answer does not say its address."""
    return [fact.name for fact in survey.servers if fact.role is None]


def _silent_master(survey: RedisSurvey) -> str:
    suspects = _suspects(survey)
    name = f"{suspects[0]}, at {survey.named}," if len(suspects) == 1 else f"at {survey.named}"
    return f"the master {name} does not answer"


def _forced(target: RedisTarget, survey: RedisSurvey) -> str:
    suspects = _suspects(survey)
    member = f" --member {suspects[0]}" if len(suspects) == 1 else ""
    return f"failover plan redis-failover {target.name} --mode forced{member}"


def standing_of(target: RedisTarget, survey: RedisSurvey) -> Standing:
    """Return whether the deployment takes writes and is redundant, why not, and what to type then."""
    told = Standing(kind="redis", name=target.name, remedy=f"failover doctor {target.name}")
    master = survey.master
    if not survey.named:
        return told.model_copy(update={"message": f"no majority ({survey.majority}) of the Sentinels names one master"})
    if master is None and not survey.fails_over:
        message, remedy = _silent_master(survey), _forced(target, survey)
        if not survey.holds_it_for_down:
            return told.model_copy(update={"message": f"{message} here, and no quorum of the Sentinels holds it for down"})
        return told.model_copy(update={"takes_writes": False, "message": message, "remedy": remedy})
    if master is None or not master.is_master:
        return told.model_copy(update={"takes_writes": False, "message": "a failover is under way"})
    known = {"leader": master.name, "takes_writes": True, "redundant": master.replicas > 0, "remedy": ""}
    return told.model_copy(update=known)


def _of_server(fact: ServerFact, survey: RedisSurvey, target: RedisTarget) -> Finding:
    if fact.role is None:
        if fact.silence is Silence.TURNED_AWAY:
            return fault(
                fact.name, f"turns us away: {fact.error}", "see the password in the estate, and the ACL of its user"
            )
        return fault(fact.name, f"does not answer: {fact.error}", f"kubectl logs {fact.name}")
    if fact in survey.strays:
        remedy = f"failover start redis-failover {target.name} lets it follow first"
        return fault(fact.name, "takes itself for the master, a majority of the Sentinels names another", remedy)
    if fact.role is RedisRole.MASTER:
        replicas = len(target.deployment.servers) - 1
        if fact.replicas < replicas:
            return warning(
                fact.name, f"master with {fact.replicas} of {replicas} replicas", "see why the others do not follow"
            )
        return ok(fact.name, f"master, {fact.replicas} replicas receive its stream")
    return _of_replica(fact, survey)


def _of_replica(fact: ServerFact, survey: RedisSurvey) -> Finding:
    if not fact.link_up or fact.follows != survey.named:
        words = f"replica of {fact.follows}, link {'up' if fact.link_up else 'down'}"
        return fault(fact.name, words, f"kubectl logs {fact.name}; Sentinel lets it follow {survey.named or 'the master'}")
    if fact.priority == 0:
        return warning(fact.name, "replica with priority 0", "Sentinel never promotes it; set replica-priority 100")
    return ok(fact.name, "replica, receives the stream")


def _of_sentinel(fact: SentinelFact, survey: RedisSurvey) -> Finding:
    if not fact.master:
        return fault(fact.name, fact.error or "names nobody", f"kubectl logs {fact.name}")
    if survey.named and fact.master != survey.named:
        return fault(fact.name, f"names {fact.master}, the majority {survey.named}", f"kubectl delete pod {fact.name}")
    if not fact.can_decide:
        return fault(fact.name, f"cannot authorize a failover: {fact.words}", "see which Sentinels it does not reach")
    return ok(fact.name, f"names {fact.master}, can authorize a failover")
