"""The estate's databases: what is asked of each PostgreSQL cluster and each Redis master that was recognised."""

from __future__ import annotations

from dataclasses import replace

from starters.init.guesses import Guess
from starters.init.others import worker_of
from starters.init.paper import Entry, of
from starters.init.postgres import GATE_TOKEN, OPERATOR, PORT, FoundPostgres, postgres_of
from starters.init.questions import Asker, Check, Question, line, master, name, or_none, reference, several
from starters.init.redis import PASSWORD, FoundRedis, redis_of
from starters.init.seen import Seen

_ROLES = Guess(("DBA",), "what the runbook asks for")
_WHY = {
    "name": "Commands name it so.",
    "write_service": f"A Service with port {PORT}. It becomes the leader record: gates and workers own its selector then.",
    "database": "After a failover a row is written and read there. Any database of the applications will do.",
    "applications": "After a failover they are restarted pod by pod, so that no session stays with the old primary.",
    "gate_token": "A reference, file:PATH or env:NAME, as workers see it. The gates take commands with this token only.",
    "password": "A reference, file:PATH or env:NAME, as workers see it. The role is no superuser.",
    "roles": "Each role is filled by another person. A forced failover waits for them too.",
}
_BLIND = frozenset({"statefulsets", "pods"})
"""Where none of these may be listed, a person names the pods."""


def postgres_entries(seen: Seen, region: str, asker: Asker) -> tuple[list[Entry], list[str], list[str]]:
    """Return the clusters, the roles whose approval they ask for, and what a reader should know."""
    entries, roles, notes = list[Entry](), list[str](), list[str]()
    for one in _databases(seen, asker):
        words, why = f"Which pods are members of PostgreSQL {one.key}, or none?", "none: it is left out of the inventory."
        members = asker.ask(Question(f"postgres.{one.key}.members", words, why, several(name)), one.members)
        if not members.value:
            continue
        entry, asks = _postgres(replace(one, members=members), region, asker)
        entries.append(entry)
        roles += asks
        if not one.gated:
            notes.append(f"PostgreSQL {entry.key} has no gates yet: see step 7 of the installation, failover adopt")
    return entries, roles, notes


def redis_entries(seen: Seen, region: str, asker: Asker) -> tuple[list[Entry], list[str]]:
    """Return the masters, and a sentence for each Redis that cannot fail over."""
    found, left = redis_of(seen, worker_of(seen))
    return [_redis(one, region, asker) for one in (*found, *_told_redis(seen, asker))], left


def _databases(seen: Seen, asker: Asker) -> list[FoundPostgres]:
    found = postgres_of(seen, worker_of(seen))
    if found or _BLIND - seen.blind:
        return found
    words = f"Which pods of namespace {seen.namespace} are members of the PostgreSQL cluster, or none?"
    why = "Neither StatefulSets nor pods may be listed, so none could be seen. Names of pods, with commas between."
    members = asker.ask(Question("postgres.members", words, why, several(name)), Guess())
    if not members.value:
        return []
    nothing = Guess(None, "nothing may be listed")
    return [
        FoundPostgres(
            key="postgres", name=Guess("postgres", nothing.source), members=members, write_service=nothing,
            read_service=nothing, database=nothing, applications=Guess((), nothing.source),
            token=Guess(GATE_TOKEN, nothing.source), password=Guess(OPERATOR, nothing.source), gated=False,
        )
    ]  # fmt: skip


def _postgres(found: FoundPostgres, region: str, asker: Asker) -> tuple[Entry, list[str]]:
    """Return one cluster, and the roles that must approve."""

    def asked(part: str, guess: Guess, check: Check, words: str) -> Guess:
        return asker.ask(Question(f"postgres.{found.key}.{part}", words.format(called), _WHY[part], check), guess)

    called = found.key
    cluster = asked("name", found.name, name, "What shall PostgreSQL {} be called?")
    called = str(cluster.value or called)
    write = asked("write_service", found.write_service, name, "To which Service do applications of {} send writes?")
    database = asked("database", found.database, line, "In which database of {} may a check write?")
    holding = asked("applications", found.applications, several(name), "Which Deployments hold sessions of {}, or none?")
    token = asked("gate_token", found.token, reference, "Where do workers have the bearer token of the gates of {}?")
    password = asked("password", found.password, reference, "Where do workers have the password of role failover of {}?")
    roles = asked("roles", _ROLES, several(line), "Which roles must approve a failover of {}, or none?")
    under = [Entry("region", region), *of("database", database), *of("members", found.members)]
    under += [*of("write_service", write), *of("read_service", found.read_service)]
    under.append(Entry("gate", under=of("token", token)))
    under.append(Entry("login", under=[Entry("user", "failover"), *of("password", password)]))
    if isinstance(holding.value, tuple) and holding.value:
        listed = [{"deployment": one, "reconnect": "rollout"} for one in holding.value]
        under.append(Entry("applications", listed, holding.source))
    return Entry(called, comment=cluster.source, under=[*under, _approvals(roles)]), list(roles.value or ())


def _approvals(roles: Guess) -> Entry:
    kinds = ("planned", "forced", "rollback", "adopt")
    policy = {"roles": list(roles.value or ())}
    return Entry("approvals", comment=roles.source, under=[Entry(kind, policy) for kind in kinds])


def _redis(found: FoundRedis, region: str, asker: Asker) -> Entry:
    words = f"What do the Sentinels of {found.key} call their master?"
    why = "The name after `sentinel monitor` in their settings."
    called = asker.ask(Question(f"redis.{found.key}.master", words, why, master), found.master)
    words = f"Where do workers have the password of Redis {found.key}, or none?"
    why = "A reference, file:PATH or env:NAME, as workers see it; of servers and Sentinels."
    password = asker.ask(Question(f"redis.{found.key}.password", words, why, or_none(reference)), found.password)
    under = [Entry("region", region), *of("servers", found.servers), *of("sentinels", found.sentinels)]
    under += of("password", password) if password.value else []
    return Entry(str(called.value or found.key), comment=called.source, under=under)


def _told_redis(seen: Seen, asker: Asker) -> list[FoundRedis]:
    if _BLIND - seen.blind:
        return []
    why = "Neither StatefulSets nor pods may be listed, so none could be seen. Names of pods, with commas between."
    words = f"Which pods of namespace {seen.namespace} are Redis servers, or none?"
    servers = asker.ask(Question("redis.servers", words, why, several(name)), Guess())
    if not servers.value:
        return []
    sentinels = asker.ask(Question("redis.sentinels", "Which pods are their Sentinels?", why, several(name)), Guess())
    nothing = "nothing may be listed"
    return [FoundRedis("redis", Guess("mymaster", nothing), servers, sentinels, Guess(PASSWORD, nothing))]
