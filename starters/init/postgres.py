"""Recognises PostgreSQL clusters: by their gates where there are some, else by image, port and label.

A gate's own settings say which members it has, which Service is the write Service and which database is checked: then
nothing is guessed. Elsewhere StatefulSets are put together by the labels that charts give them; which Service takes
writes is a guess, and a person confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starters.init.guesses import Guess
from starters.init.podsets import PodSet, environment_of, file_in, image_of, path_of, ports_of, secrets_named
from starters.init.seen import Seen

PORT = 5432
_SERVER = re.compile(r"postgres|postgis|timescale|spilo|patroni|pgvector|citus")
NO_SERVER = re.compile(r"exporter|bouncer|pgpool|admin|backup|barman|operator|client|proxy|odyssey|migrat|commander|insight")
"""Images that have a server's name in theirs, and are none."""
_ROLE = re.compile(r"[-_.]?(primary|standby|replicas?|secondary|master|slave|leader|read)$")
_NUMBER = re.compile(r"[-_.]([0-9]+|[a-e])$")
"""What members of one cluster differ by; sets that differ by a number alone may also be clusters of their own."""
_WRITES = re.compile(r"(^|[-.])(primary|master|rw|write|writer|leader)([-.]|$)")
_READS = re.compile(r"(^|[-.])(standby|replicas?|ro|r|read|reader|secondary)([-.]|$)")
GATE_TOKEN = "file:/var/run/secrets/failover/gate/token"  # noqa: S105 - where it is
OPERATOR = "file:/var/run/secrets/failover/postgresql/operator"
_INSTANCE, _COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"


@dataclass(frozen=True)
class FoundPostgres:
    """One cluster as it looks from outside."""

    key: str
    """Of its questions; stays when the answers change."""
    name: Guess
    members: Guess
    write_service: Guess
    read_service: Guess
    database: Guess
    applications: Guess
    token: Guess
    password: Guess
    gated: bool


def postgres_of(seen: Seen, worker: PodSet | None) -> list[FoundPostgres]:
    """Return the clusters. ``worker``: where references to secrets are looked up, if one runs."""
    groups: dict[str, list[PodSet]] = {}
    for one in seen.stateful:
        if why := _why_server(one, seen):
            groups.setdefault(_group(one, seen, why), []).append(one)
    found, taken = list[FoundPostgres](), set[str]()
    for _, sets in sorted(groups.items()):
        key = _gate(sets[0], seen).get("GATE_CLUSTER") or _stem(sets[0].name)
        key = key if key not in taken else sets[0].name
        taken.add(key)
        found.append(_cluster(key, sets, seen, worker))
    return found


def _why_server(one: PodSet, seen: Seen) -> str:
    """Return from what a set looks like PostgreSQL; empty: it does not."""
    for container in one.containers:
        image, reasons = image_of(container), list[str]()
        if NO_SERVER.search(image):
            continue
        if _SERVER.search(image):
            reasons.append(f"image {image}")
        if PORT in ports_of(container):
            reasons.append(f"port {PORT}")
        if "GATE_MEMBERS" in environment_of(container, seen.settings):
            reasons.append("a gate")
        if reasons:
            return ", ".join(reasons)
    return ""


def _group(one: PodSet, seen: Seen, why: str) -> str:
    """Return what the sets of one cluster have in common."""
    gate = _gate(one, seen)
    if why and (members := gate.get("GATE_MEMBERS")):
        return f"gate {gate.get('GATE_SERVICE', '')} {members}"
    if instance := one.labels.get(_INSTANCE):
        return f"instance {instance} {one.labels.get('app.kubernetes.io/name', '')}"
    if one.replicas > 1:
        return f"set {one.name}"
    if _NUMBER.search(one.name):
        return f"number {_stem(one.name)} {one.headless}"
    return f"name {_stem(one.name)}"


def _stem(name: str) -> str:
    return _NUMBER.sub("", _ROLE.sub("", name)) or name


def _gate(one: PodSet, seen: Seen) -> dict[str, str]:
    for container in one.containers:
        found = environment_of(container, seen.settings)
        if "GATE_MEMBERS" in found:
            return found
    return {}


def _cluster(key: str, sets: list[PodSet], seen: Seen, worker: PodSet | None) -> FoundPostgres:
    gate, names = _gate(sets[0], seen), " and ".join(one.name for one in sets)
    looks = f"StatefulSet {names}: {_why_server(sets[0], seen)}"
    members = tuple(pod for one in sets for pod in one.pods)
    told = "GATE_{} of the gates".format
    if gate:
        members = tuple(one.strip() for one in gate["GATE_MEMBERS"].split(","))
    services = list(seen.objects["services"])
    write = _write_service(sets, services)
    if service := gate.get("GATE_SERVICE"):
        write = Guess(service, told("SERVICE"), sure=True)
    return FoundPostgres(
        key=key,
        name=Guess(
            key, told("CLUSTER") if gate.get("GATE_CLUSTER") else f"the name of StatefulSet {names}", sure=bool(gate)
        ),
        members=Guess(members, told("MEMBERS") if gate else looks, sure=bool(gate)),
        write_service=write,
        read_service=_read_service(sets, services, write),
        database=_database(sets, gate, seen),
        applications=_applications(sets, seen, write),
        token=_reference(sets[0], worker, gate.get("GATE_TOKEN_FILE"), GATE_TOKEN),
        password=_reference(sets[0], worker, gate.get("GATE_OPERATOR_PASSWORD_FILE"), OPERATOR),
        gated=bool(gate),
    )


def _reference(one: PodSet, worker: PodSet | None, path: str | None, shipped: str) -> Guess:
    """Return where workers have the key of the Secret that a member has at ``path``."""
    held = file_in(one.spec, path) if path else None
    if held is None or worker is None:
        return Guess(shipped, "where the shipped manifests have it in workers; no worker was seen")
    if found := path_of(worker.spec, held):
        return Guess(f"file:{found}", f"Secret {held.secret}, mounted by Deployment {worker.name}", sure=True)
    return Guess(shipped, f"Deployment {worker.name} does not mount Secret {held.secret}: mount it there")


def _write_service(sets: list[PodSet], services: list[dict[str, Any]]) -> Guess:
    fitting = [one for one in services if _leads_to(one, sets) and not _is_headless(one)]
    recorded = [one for one in fitting if "failover/leader" in (one["metadata"].get("annotations") or {})]
    ranked = recorded or sorted(fitting, key=_likely)
    if not ranked:
        return Guess(None, f"no Service with port {PORT} leads to these pods")
    name, others = _name(ranked[0]), ", ".join(_name(one) for one in ranked[1:])
    why = "its annotation failover/leader" if recorded else f"a Service with port {PORT} that selects these pods"
    return Guess(name, f"{why}{f'; others: {others}' if others else ''}", sure=bool(recorded))


def _likely(service: dict[str, Any]) -> tuple[bool, bool, bool, str]:
    """Sort the Service that most likely takes writes first."""
    role = _role(service)
    writes = role in {"primary", "master", "leader"}
    reads = bool(_READS.search(role) or _READS.search(_name(service)))
    return not writes, reads, not _WRITES.search(_name(service)), _name(service)


def _role(service: dict[str, Any]) -> str:
    selector = service["spec"].get("selector") or {}
    return next((value for key, value in selector.items() if "role" in key or key == _COMPONENT), "")


def _read_service(sets: list[PodSet], services: list[dict[str, Any]], write: Guess) -> Guess:
    for one in services:
        if _leads_to(one, sets) and not _is_headless(one) and _name(one) != write.value:
            if role := _READS.search(_role(one)):
                return Guess(_name(one), f"its selector has {role[2]}", sure=True)
            if _READS.search(_name(one)):
                return Guess(_name(one), "its name", sure=True)
    return Guess(None, "no Service that reads was seen", sure=True)


def _leads_to(service: dict[str, Any], sets: Iterable[PodSet]) -> bool:
    """Whether a Service is for these pods: by its selector without roles, which move; by name where it has none."""
    if PORT not in {one.get("port") for one in service["spec"].get("ports") or ()}:
        return False
    selector: Mapping[str, str] = service["spec"].get("selector") or {}
    if not selector:
        return any(_name(service) == one.name or _stem(_name(service)) == _stem(one.name) for one in sets)
    fixed = {key: value for key, value in selector.items() if "role" not in key}
    pod = fixed.pop("statefulset.kubernetes.io/pod-name", None)
    return any(fixed.items() <= one.labels.items() and (pod is None or pod in one.pods) for one in sets)


def _is_headless(service: dict[str, Any]) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def _name(service: dict[str, Any]) -> str:
    return str(service["metadata"]["name"])


def _database(sets: list[PodSet], gate: dict[str, str], seen: Seen) -> Guess:
    if name := gate.get("GATE_DATABASE"):
        return Guess(name, "GATE_DATABASE of the gates", sure=True)
    for container in (container for one in sets for container in one.containers):
        found = environment_of(container, seen.settings)
        for variable in ("POSTGRES_DB", "POSTGRESQL_DATABASE", "POSTGRES_DATABASE", "PGDATABASE"):
            if found.get(variable):
                return Guess(found[variable], f"{variable} of its container")
    return Guess(None, "nothing names a database")


def _applications(sets: list[PodSet], seen: Seen, write: Guess) -> Guess:
    """Return the Deployments that name the write Service, and those that share a Secret with the database's pods."""
    secrets = {name for one in sets for name in secrets_named(one.spec)}
    naming, sharing = list[str](), list[str]()
    for one in seen.stateless:
        if is_ours(one):
            continue
        texts = [value for container in one.containers for value in environment_of(container, seen.settings).values()]
        if isinstance(write.value, str) and any(_names(text, write.value, seen.namespace) for text in texts):
            naming.append(one.name)
        elif secrets & secrets_named(one.spec):
            sharing.append(one.name)
    reasons = [f"{', '.join(naming)} names Service {write.value}"] if naming else []
    reasons += [f"{', '.join(sharing)} has a Secret of the database's pods"] if sharing else []
    return Guess((*naming, *sharing), "; ".join(reasons) or "no Deployment names its Service, or has its Secret")


def _names(text: str, service: str, namespace: str) -> bool:
    """Whether ``text`` has the Service as a host: alone, or with its namespace."""
    host = rf"(?<![\w.-]){re.escape(service)}(\.{re.escape(namespace)}(\.svc(\.[\w.-]+)?)?)?(?![\w-]|\.\w)"
    return re.search(host, text) is not None


def is_ours(one: PodSet) -> bool:
    """Whether the set runs workers or witnesses of this product."""
    variables = {each["name"] for container in one.containers for each in container.get("env") or ()}
    return bool(variables & {"FAILOVER_ESTATE", "FAILOVER_WITNESS"})
