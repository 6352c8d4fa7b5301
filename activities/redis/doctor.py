"""Doctor's eye on Redis: from what servers and Sentinels said to one line per finding with its remedy. Pure."""

from __future__ import annotations

from activities.redis.models import RedisRole, RedisSurvey, SentinelFact, ServerFact
from activities.run.findings import fault, ok, warning
from activities.run.models.diagnosis import Silence
from activities.run.models.doctor import Finding
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
    if survey.master is None and (away := [one for one in survey.servers if one.silence is Silence.TURNED_AWAY]):
        names = ", ".join(one.name for one in away)
        words = f"the master at {survey.named} may be one that answers and lets us not look: {names}"
        return fault(target.name, words, "let the password's user run INFO, and CONFIG GET or give the Sentinels time")
    if survey.master is None:
        remedy = f"failover start redis-failover {target.name} --mode forced --by YOU"
        return fault(target.name, f"the master at {survey.named} does not answer", remedy)
    return ok(target.name, f"a majority of the Sentinels names {survey.master.name}")


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
