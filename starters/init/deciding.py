"""Makes the estate of what was seen and what is asked: one function for each part of the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from starters.init.databases import postgres_entries, redis_entries
from starters.init.guesses import Guess
from starters.init.others import (
    FoundPool,
    FoundWorkload,
    outside_of,
    pools_of,
    records_of,
    region_of,
    witnesses_of,
    worker_of,
    workloads_of,
)
from starters.init.paper import Entry, of
from starters.init.questions import (
    NO,
    YES,
    Asker,
    Question,
    line,
    name,
    or_none,
    people,
    people_who_hold,
    several,
    yes_or_no,
)
from starters.init.seen import Seen


@dataclass
class Decided:
    """The estate so far."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What stands at the end of the file, and on the terminal: what was left out, and why."""
    roles: list[str] = field(default_factory=list)
    """Whose approval is asked for."""

    def section(self, key: str, under: list[Entry]) -> None:
        """Add a part of the file, unless it is empty."""
        self.entries += [Entry(key, under=under)] if under else []


def decide(seen: Seen, context: str, asker: Asker) -> Decided:
    """Return the estate of one namespace, with an answer to every question; ``asker.open`` has those without."""
    made, worker = Decided(), worker_of(seen)
    region = _region(made, seen, context, asker)
    databases, roles, notes = postgres_entries(seen, region, asker)
    made.section("postgres", databases)
    made.roles += roles
    masters, left = redis_entries(seen, region, asker)
    made.section("redis", masters)
    made.notes += [*notes, *left]
    made.section("workloads", _workloads(workloads_of(seen), region, asker))
    made.section("node_pools", _pools(seen, region, asker))
    witnesses = "Which pods observe whether a target has failed (three or five), or none?"
    why = "They are pods of the StatefulSet failover-witness. A majority of all of them decides."
    made.entries += of("witnesses", asker.ask(Question("witnesses", witnesses, why, several(name)), witnesses_of(seen)))
    _people(made, asker)
    where = "In which directory do workers keep the records of runs (none: in Temporal only)?"
    why = "A volume that all workers share. report.json and history.json of each run are written there."
    made.entries += of("records", asker.ask(Question("records", where, why, or_none(line)), records_of(worker)))
    made.entries = [one for one in made.entries if not (one.key == "records" and one.value == [])]
    made.notes += outside_of(seen)
    return made


def _region(made: Decided, seen: Seen, context: str, asker: Asker) -> str:
    why = "A name of your choice without blanks; every part of the inventory names the region that it is in."
    region = asker.ask(Question("region", "What is the name of this region?", why, name), region_of(seen))
    key = region.value if isinstance(region.value, str) else "region"
    why = "How people and Azure call it, such as East US. It is shown in plans and reports."
    location = Question("location", f"Where is {key}, as Azure names it?", why, line)
    why = "Workers use their own service account in their own cluster, and a kubeconfig for any other one."
    inside = Question("workers_here", "Do the workers run in this cluster?", why, yes_or_no)
    here = asker.ask(inside, Guess(YES, "what is usual; the other way needs a kubeconfig in workers"))
    entries = [*of("location", asker.ask(location, Guess(key, region.source)))]
    entries.append(Entry("namespace", seen.namespace, "the only one that this file describes"))
    if here.value == NO:
        entries.append(Entry("context", context, "the kubeconfig's context that was read"))
    made.section("regions", [Entry(key, comment=region.source, under=entries)])
    return key


def _workloads(found: list[FoundWorkload], region: str, asker: Asker) -> list[Entry]:
    all_of_them = tuple(one.deployment for one in found)
    if not all_of_them:
        return []
    words = "Which Deployments have pods that may be replaced at any time, or none?"
    why = "pod-failover replaces broken pods of these. Leave out what must not be restarted without a person."
    question = Question("workloads", words, why, several(name, among=all_of_them))
    wanted = asker.ask(question, Guess(all_of_them, "the Deployments of the namespace"))
    taken, entries = set[str](), list[Entry]()
    for one in found:
        if one.deployment not in (wanted.value or ()):
            continue
        called = one.service if one.service and one.service not in taken else one.deployment
        taken.add(called)
        asked = f"readiness probe {one.path} by Service {one.service}" if one.service else "no HTTP probe by a Service"
        under = [Entry("region", region), Entry("deployment", one.deployment, one.remark)]
        if one.service:
            under += [Entry("service", one.service, asked), Entry("port", one.port), Entry("path", one.path)]
        entries.append(Entry(called, comment="" if one.service else asked, under=under))
    return entries


def _pools(seen: Seen, region: str, asker: Asker) -> list[Entry]:
    found = pools_of(seen)
    if not found and "nodes" in seen.blind:
        words = "Which node pools (values of the label agentpool) may be drained, or none?"
        why = "node-failover drains a node of these. Nodes may not be listed with this account, so none could be seen."
        told = asker.ask(Question("node_pools", words, why, several(name)), Guess((), "Nodes may not be listed"))
        found = [FoundPool(one, {"agentpool": one}, "as answered", azure=False) for one in told.value or ()]
        return [_pool(one, region, asker) for one in found]
    names = tuple(one.name for one in found)
    if not names:
        return []
    words, why = "Which node pools may be drained, or none?", "node-failover drains a node of these, hosted leaders first."
    wanted = asker.ask(Question("node_pools", words, why, several(name, among=names)), Guess(names, _remarks(found)))
    return [_pool(one, region, asker) for one in found if one.name in (wanted.value or ())]


def _remarks(pools: Iterable[FoundPool]) -> str:
    return "; ".join(f"{one.name}: {one.remark}" for one in pools)


def _pool(one: FoundPool, region: str, asker: Asker) -> Entry:
    under = [Entry("region", region)]
    if one.selector:
        under.append(Entry("selector", dict(one.selector), one.remark))
    if one.azure:
        words = f"May Azure's statement that a machine of {one.name} is stopped count as proof?"
        why = "Workers then need a role in Azure (docs/runbooks/node-failover.md). Else a person must attest it."
        counts = asker.ask(
            Question(f"node_pools.{one.name}.azure", words, why, yes_or_no), Guess(NO, "the nodes' providerID")
        )
        if counts.value == YES:
            under.append(Entry("machines", {"kind": "azure", "may_end": False}, counts.source))
    return Entry(one.name, comment="" if one.selector else one.remark, under=under)


def _people(made: Decided, asker: Asker) -> None:
    needed = tuple(dict.fromkeys(made.roles))
    words = "Who are the people, and which roles do they hold (dana=DBA, mona=Manager+CTO), or none?"
    why = "Only these people may approve, reject and attest. Every role whose approval is asked for must be held."
    answer = asker.ask(Question("people", words, why, people_who_hold(needed)), Guess(None if needed else "none", ""))
    if isinstance(answer.value, str) and (held := people(answer.value)):
        made.section("people", [Entry(who, list(roles)) for who, roles in held.items()])
