"""The generated files of the chart: which object of the base goes where, and what of it the values and the estate decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from deploy.helm.base import Object
from deploy.helm.extras import monitoring, regions
from deploy.helm.parts import account, cluster_wide, disk, kept, limited, looks, placed, secret
from deploy.helm.settings import files
from deploy.helm.template import POD, Base, Template

_HEAD = """\
{{- /* Made by python -m deploy.helm from the kustomize base: change that, and make this again. */ -}}
{{- $n := include "failover.names" . | fromYaml }}
"""
_WRITES, _SERVICES, _MEMBERS = ("postgresql-primary",), ("api",), ("postgresql-primary-0", "postgresql-standby-0")
_REDIS = (*(f"redis-{one}" for one in range(3)), *(f"redis-sentinel-{one}" for one in range(3)))
_NAMES = {
    _WRITES: "$n.writes", _SERVICES: "$n.services", _MEMBERS: "$n.members", _REDIS: "$n.redisPods",
    (*_WRITES, *_SERVICES): "(concat $n.writes $n.services)", ("api-deployment",): "$n.deployments",
}  # fmt: skip
_OWN = {_WRITES: "(list $n.write)", _MEMBERS: "$n.own"}
_POSTGRESQL, _REDIS_ON, _WITNESS = "$.Values.postgresql.enabled", "$.Values.redis.enabled", "$n.witnesses"


def chart(base: list[Object], observability: list[Object], surviving: list[Object], lost: list[Object]) -> dict[str, str]:
    """Return path below the chart → text, for every generated file.

    Raises:
        ValueError: the base has what the chart does not know.
        KeyError: the base lacks what the chart has, or grants names that the chart cannot derive.
    """
    whole = Base(base)
    made = files(whole.take("ConfigMap", "redis-settings").at(("data",)))
    made["files/estate.yaml"] = whole.take("ConfigMap", "failover-estate").at(("data", "estate.yaml"))
    whole.take("Namespace", "aiagent-prod")  # Helm keeps a release in its namespace, so that is there before
    whole.take("ConfigMap", "failover-temporal")  # its name has a hash of what is in it: templates/settings.yaml
    groups: dict[str, Callable[[Base], Iterator[Template]]] = {
        "postgresql": _postgresql, "redis": _redis, "worker": _worker, "witness": _witness,
        "drills": _drills, "nodes": _nodes, "guard": _guard,
    }  # fmt: skip
    templates = {name: list(group(whole)) for name, group in groups.items()}
    whole.nothing_left()
    templates["region"] = [*regions(surviving, "surviving"), *regions(lost, "lost")]
    templates["observability"] = list(monitoring(Base(observability), made))
    return made | {
        f"templates/{name}.yaml": _HEAD + "".join(map(Template.rendered, ones)) for name, ones in templates.items()
    }


def _postgresql(base: Base) -> Iterator[Template]:
    service = ("metadata", "name")
    yield base.take("ServiceAccount", "postgresql").when(_POSTGRESQL)
    yield limited(base.take("Role", "postgresql-gate"), _OWN).when(_POSTGRESQL)
    yield base.take("RoleBinding", "postgresql-gate").when(_POSTGRESQL)
    yield _gate(base.take("ConfigMap", "postgresql-gate")).when(_POSTGRESQL)
    yield base.take("Service", "postgresql-members").text(service, "$n.headless").when(_POSTGRESQL)
    yield kept(base.take("Service", "postgresql-primary").text(service, "$n.write")).when(_POSTGRESQL)
    reads = base.take("Service", "postgresql-standby").text(service, "$n.read")
    yield reads.when("$n.read").when(_POSTGRESQL)
    budget = base.take("PodDisruptionBudget", "postgresql")
    yield budget.put(("spec", "minAvailable"), "sub (len $n.own) 1").when(_POSTGRESQL)
    yield _members(base).when(_POSTGRESQL)


def _gate(settings: Template) -> Template:
    for key, expression in {
        "GATE_CLUSTER": "$n.cluster", "GATE_MEMBERS": 'join "," $n.own',
        "GATE_SERVICE": "$n.write", "GATE_DATABASE": "$n.database",
    }.items():  # fmt: skip
        settings.text(("data", key), expression)
    return settings.insert(("data",), '{{- include "failover.gateSettings" (dict "names" $n "values" $.Values) }}')


def _members(base: Base) -> Template:
    member = base.take("StatefulSet", "postgresql-primary")
    base.same(member, "StatefulSet", "postgresql-standby", **{
        "postgresql-standby": "postgresql-primary", "member: standby": "member: primary",
    })  # fmt: skip
    placed(member, "$.Values.postgresql", "postgresql")
    for label in (("spec", "selector", "matchLabels"), ("spec", "template", "metadata", "labels")):
        member.text((*label, "member"), '$one | trimPrefix "postgresql-"')
    secret(secret(member, "passwords", "postgresql"), "token", "gate")
    member.text(("metadata", "name"), "$one").text(("spec", "serviceName"), "$n.headless")
    return disk(member, "$.Values.postgresql.storage").each("$n.sets")


class _Part(NamedTuple):
    """Servers or Sentinels: their names in the base, where their values are, and what the estate says."""

    name: str
    headless: str
    values: str
    members: str
    called: str
    least: str


_PARTS = (
    _Part("redis", "redis-members", "redis", "$n.servers", 'printf "%s-members" $n.redisSet', "sub (len $n.servers) 1"),
    _Part(
        "redis-sentinel", "redis-sentinel", "sentinel", "$n.sentinels", "$n.sentinelSet", "add1 (div (len $n.sentinels) 2)"
    ),
)


def _redis(base: Base) -> Iterator[Template]:
    for part in _PARTS:
        title, own = ("metadata", "name"), f"$n.{part.values}Set"
        yield base.take("Service", part.headless).text(title, part.called).when(_REDIS_ON)
        one = base.take("Service", f"{part.name}-0")
        for number in (1, 2):
            base.same(one, "Service", f"{part.name}-{number}", **{f"{part.name}-{number}": f"{part.name}-0"})
        one.text(title, "$one").text(("spec", "selector", "statefulset.kubernetes.io/pod-name"), "$one")
        yield one.each(part.members).when(_REDIS_ON)
        budget = base.take("PodDisruptionBudget", part.name).text(title, own)
        yield budget.put(("spec", "minAvailable"), part.least).when(_REDIS_ON)
        servers = placed(base.take("StatefulSet", part.name), f"$.Values.{part.values}", "redis").text(title, own)
        servers.text(("spec", "serviceName"), part.called).put(("spec", "replicas"), f"len {part.members}")
        servers.text((*POD, "volumes", 0, "configMap", "name"), 'include "failover.redisName" $')
        yield disk(secret(servers, "password", "redis"), f"$.Values.{part.values}.storage").when(_REDIS_ON)


def _worker(base: Base) -> Iterator[Template]:
    yield account(base.take("ServiceAccount", "failover-worker"), "worker")
    yield limited(base.take("Role", "failover-worker"), _NAMES)
    yield base.take("RoleBinding", "failover-worker")
    yield disk(kept(base.take("PersistentVolumeClaim", "failover-records")), "$.Values.records", ())
    worker = looks(placed(base.take("Deployment", "failover-worker"), "$.Values.worker", "worker"), "worker")
    worker.put(("spec", "replicas"), "$.Values.worker.replicas")
    yield secret(secret(worker, "signing", "signing"), "evidence", "evidence")


def _witness(base: Base) -> Iterator[Template]:
    yield account(base.take("ServiceAccount", "failover-witness"), "witness").when(_WITNESS)
    yield limited(base.take("Role", "failover-witness"), _NAMES).when(_WITNESS)
    yield base.take("RoleBinding", "failover-witness").when(_WITNESS)
    witness = looks(placed(base.take("StatefulSet", "failover-witness"), "$.Values.witness", "worker"), "witness")
    witness.text(("metadata", "name"), "$n.witnessSet").text(("spec", "serviceName"), "$n.witnessSet")
    yield witness.put(("spec", "replicas"), "len $n.witnesses").when(_WITNESS)
    yield from _cluster_role(base, "failover-witness-nodes", f"and $.Values.nodes {_WITNESS}")


def _drills(base: Base) -> Iterator[Template]:
    for kind in ("Role", "RoleBinding"):
        yield base.take(kind, "failover-drills").when("$.Values.drills")


def _nodes(base: Base) -> Iterator[Template]:
    yield from _cluster_role(base, "failover-nodes", "$.Values.nodes")


def _cluster_role(base: Base, name: str, condition: str) -> Iterator[Template]:
    yield cluster_wide(base.take("ClusterRole", name)).when(condition)
    yield cluster_wide(base.take("ClusterRoleBinding", name), ("roleRef", "name")).when(condition)


def _guard(base: Base) -> Iterator[Template]:
    policy = "failover-worker-deletes-stateless-pods"
    yield cluster_wide(base.take("ValidatingAdmissionPolicy", policy))
    yield cluster_wide(base.take("ValidatingAdmissionPolicyBinding", policy), ("spec", "policyName"))
