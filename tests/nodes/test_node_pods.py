"""Which pods no other node would take, and what a pod's state means, from the API server's JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.clients.kubernetes.nodestate import bound_claims, is_homeless, node_fact
from activities.clients.kubernetes.nodestate import pod_fact as node_pod
from activities.clients.kubernetes.podstate import event_line, main_container, pod_fact, pod_seen, rollout_of
from activities.clients.ports import Rollout
from activities.pods.models import Trouble

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def _at(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z")


def _redis(name: str, node: str, **more: Any) -> dict[str, Any]:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "redis"}}}
    anti = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    metadata = {"name": name, "namespace": "a", "labels": {"app": "redis"}, **more}
    return {"metadata": metadata, "spec": {"nodeName": node, "affinity": anti}}


def test_a_pod_is_homeless_where_every_other_node_has_one_of_its_kind() -> None:
    pods = [_redis("redis-0", "n1"), _redis("redis-1", "n2"), _redis("redis-2", "n3")]
    assert is_homeless(pods[0], {"n2", "n3"}, pods)
    assert not is_homeless(pods[0], {"n2", "n3", "n4"}, pods)
    assert not is_homeless(pods[0], {"n2", "n3"}, pods[:2])
    assert not is_homeless({"metadata": pods[0]["metadata"], "spec": {}}, {"n2", "n3"}, pods)
    leaving = [pods[0], pods[1], _redis("redis-2", "n3", deletionTimestamp=_at(0))]
    assert not is_homeless(pods[0], {"n2", "n3"}, leaving)
    elsewhere = [pods[0], pods[1], _redis("redis-2", "n3", namespace="b")]
    assert not is_homeless(pods[0], {"n2", "n3"}, elsewhere)


def _volume(claim: str, *hosts: str, key: str = "kubernetes.io/hostname", namespace: str = "a") -> dict[str, Any]:
    wanted = {"key": key, "operator": "In", "values": list(hosts)}
    terms = [{"matchExpressions": [wanted]}] if hosts else []
    reached = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}} if hosts else {}
    return {"metadata": {"name": claim}, "spec": {"claimRef": {"namespace": namespace, "name": claim}, **reached}}


@pytest.mark.parametrize(
    ("volume", "bound"),
    [
        (_volume("data", "n1"), ("data",)),
        (_volume("data", "n1", "n2"), ()),
        (_volume("data"), ()),
        (_volume("data", "eastus-1", key="topology.kubernetes.io/zone"), ()),
        (_volume("data", "n1", namespace="b"), ()),
        (_volume("other", "n1"), ()),
    ],
)
def test_a_claim_is_bound_whose_volume_no_other_node_reaches(volume: dict[str, Any], bound: tuple[str, ...]) -> None:
    spec = {"nodeName": "n1", "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "e"}]}
    pod = {"metadata": {"name": "db-0", "namespace": "a"}, "spec": spec}
    assert bound_claims(pod, {"n2", "n3"}, [volume]) == bound
    assert bound_claims(pod, set(), [volume]) == ()


def _pod(container: dict[str, Any] | None, *, ready: str = "False", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": _at(30)}]
    found = {"phase": "Running", "conditions": conditions, "containerStatuses": [container] if container else [], **status}
    return {"metadata": {"name": "p", "uid": "u", "creationTimestamp": _at(60)}, "spec": {"nodeName": "n"}, "status": found}


_RUNS = {"ready": False, "restartCount": 1, "state": {"running": {}}}


@pytest.mark.parametrize(
    ("pod", "trouble"),
    [
        (_pod({**_RUNS, "ready": True}, ready="True"), Trouble.NONE),
        (_pod(_RUNS), Trouble.NOT_READY),
        (_pod({**_RUNS, "ready": True}), Trouble.NODE_SILENT),
        (_pod({**_RUNS, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}), Trouble.CRASHING),
        (_pod({**_RUNS, "state": {"waiting": {"reason": "ImagePullBackOff"}}}), Trouble.CANNOT_START),
        (_pod({**_RUNS, "state": {"waiting": {"reason": "ContainerCreating"}}}), Trouble.STARTING),
        (_pod({**_RUNS, "state": {"terminated": {"exitCode": 137}}}), Trouble.STARTING),
        (_pod(None), Trouble.STARTING),
        (_pod(_RUNS, phase="Failed", reason="Evicted"), Trouble.OVER),
    ],
)
def test_what_the_api_server_says_of_a_pod(pod: dict[str, Any], trouble: Trouble) -> None:
    seen = pod_seen(pod, NOW)
    assert seen is not None
    assert seen.trouble is trouble
    assert (seen.since is None) == (trouble is Trouble.NONE)


def test_a_pod_that_no_node_takes_says_why() -> None:
    pod = _pod(None)
    words = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    pod["status"]["conditions"].append(words)
    seen = pod_seen(pod, NOW)
    assert seen is not None
    assert (seen.trouble, seen.words) == (Trouble.UNSCHEDULED, "0/3 nodes are available")


def test_a_pod_that_leaves_in_time_is_not_counted_and_one_that_does_not_is_stuck() -> None:
    pod = _pod(_RUNS)
    pod["metadata"]["deletionTimestamp"] = _at(-5)  # grace included: it may take five more seconds
    assert pod_seen(pod, NOW) is None
    pod["metadata"]["deletionTimestamp"] = _at(25)
    seen = pod_seen(pod, NOW)
    assert seen is not None
    assert (seen.trouble, seen.words) == (Trouble.STUCK, "should have gone 25 s ago")


def test_how_a_container_ended_last_is_told() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    seen = pod_seen(_pod({**_RUNS, "lastState": ended}), NOW)
    assert seen is not None
    assert seen.last_end == "OOMKilled (137)"


def _pod_of_two(sidecar: dict[str, Any], main: dict[str, Any], annotation: str | None, first: str) -> dict[str, Any]:
    """Return a pod with containers ``aproxy`` and ``main``; their states are listed by name, as the API does."""
    pod = _pod(None, ready="True")
    pod["spec"]["containers"] = [{"name": first}, {"name": "main" if first == "aproxy" else "aproxy"}]
    pod["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": annotation} if annotation else {}
    pod["status"]["containerStatuses"] = [{"name": "aproxy", **sidecar}, {"name": "main", **main}]
    return pod


_CRASHES = {"ready": False, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


@pytest.mark.parametrize(
    ("annotation", "first", "main"),
    [(None, "main", "main"), ("main", "aproxy", "main"), ("gone", "main", "main"), (None, "aproxy", "aproxy")],
)
def test_the_state_of_a_pod_is_that_of_its_main_container(annotation: str | None, first: str, main: str) -> None:
    pod = _pod_of_two(_CRASHES, {**_RUNS, "ready": True}, annotation, first)
    assert main_container(pod) == main
    fact = pod_fact(pod)
    assert (fact.container, fact.restarts) == (("running", 8) if main == "main" else ("waiting: CrashLoopBackOff", 8))


def test_a_container_that_is_not_ready_is_what_a_broken_pod_is_about() -> None:
    pod = _pod_of_two(_CRASHES, {**_RUNS, "ready": True}, None, "main")
    pod["status"]["conditions"][0]["status"] = "False"
    seen = pod_seen(pod, NOW)
    assert seen is not None
    assert (seen.trouble, seen.container, seen.restarts) == (Trouble.CRASHING, "aproxy", 1)
    seen = pod_seen(_pod_of_two({**_RUNS, "ready": True}, {**_RUNS, "ready": True}, None, "main"), NOW)
    assert seen is not None
    assert seen.container == "main"


def _with_volume(
    source: dict[str, Any], *, read_only: bool = False, annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    mount = {"name": "v", "mountPath": "/v", "readOnly": read_only}
    owner = {"kind": "ReplicaSet", "name": "r", "controller": True}
    metadata = {"name": "p", "namespace": "a", "uid": "u", "ownerReferences": [owner], "annotations": annotations or {}}
    spec = {"containers": [{"name": "c", "volumeMounts": [mount]}], "volumes": [{"name": "v", **source}]}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}}


_CLAIM = {"persistentVolumeClaim": {"claimName": "reports"}}


@pytest.mark.parametrize(
    ("pod", "volumes"),
    [
        (_with_volume(_CLAIM), ("claim reports",)),
        (_with_volume({"hostPath": {"path": "/data"}}), ("hostPath /data",)),
        (_with_volume({"nfs": {"server": "s", "path": "/x"}}), ("nfs /x",)),
        (_with_volume({"csi": {"driver": "d"}}), ("csi v",)),
        (_with_volume(_CLAIM, read_only=True), ()),
        (_with_volume({"persistentVolumeClaim": {"claimName": "reports", "readOnly": True}}), ()),
        (_with_volume({"csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True}}), ()),
        (_with_volume(_CLAIM, annotations={"failover/may-run-twice": "true"}), ()),
        (_with_volume(_CLAIM, annotations={"failover/may-run-twice": "false"}), ("claim reports",)),
        *((_with_volume({kind: {}}), ()) for kind in ("emptyDir", "configMap", "secret", "projected", "downwardAPI")),
    ],
)
def test_what_a_pod_may_write_and_outlives_it(pod: dict[str, Any], volumes: tuple[str, ...]) -> None:
    fact = node_pod(pod)
    assert (fact.volumes, fact.keeps_data) == (volumes, bool(volumes))


@pytest.mark.parametrize(
    ("labels", "kind", "leads"),
    [
        ({"role": "primary"}, "StatefulSet", "role=primary"),
        ({"spilo-role": "master"}, "StatefulSet", "spilo-role=master"),
        ({"cnpg.io/instanceRole": "primary"}, "Cluster", "cnpg.io/instanceRole=primary"),
        ({"role": "standby"}, "StatefulSet", ""),
        ({"role": "primary"}, "ReplicaSet", ""),
        ({}, "StatefulSet", ""),
    ],
)
def test_a_pod_says_by_its_label_that_it_leads(labels: dict[str, str], kind: str, leads: str) -> None:
    pod = _with_volume(_CLAIM)
    pod["metadata"] |= {"labels": labels, "ownerReferences": [{"kind": kind, "name": "o", "controller": True}]}
    assert node_pod(pod).leads == leads


def _deployment(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    counts = {"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
    return {"metadata": {"generation": 3}, "spec": {"replicas": 2, **(spec or {})}, "status": {**counts, **status}}


def test_what_holds_a_rollout_up_is_read_from_the_deployment() -> None:
    assert rollout_of(_deployment()) == Rollout(2, 2, done=True)
    assert rollout_of(_deployment(observedGeneration=2)) == Rollout(0, 2, done=False)
    paused = rollout_of(_deployment({"paused": True}, updatedReplicas=0))
    assert (paused.done, "kubectl rollout resume" in paused.hindrance) == (False, True)
    condition = {"type": "ReplicaFailure", "status": "True", "message": "pods is forbidden: exceeded quota: compute"}
    assert "exceeded quota: compute" in rollout_of(_deployment(conditions=[condition])).hindrance
    assert rollout_of(_deployment(conditions=[{**condition, "status": "False"}])).hindrance == ""


def test_events_are_one_line_each_in_order_of_time() -> None:
    event = {"metadata": {}, "type": "Warning", "reason": "BackOff", "message": "restarting", "count": 5}
    at, line = event_line({**event, "lastTimestamp": "2026-11-25T12:00:03Z"})
    assert (at, line) == ("2026-11-25T12:00:03Z", "12:00:03 Warning BackOff x5: restarting")


def test_a_node_knows_its_machine_where_somebody_provides_it() -> None:
    assert node_fact({"metadata": {"name": "n"}, "spec": {"providerID": "azure:///x"}}).provider_id == "azure:///x"
    assert node_fact({"metadata": {"name": "n"}, "spec": {}}).provider_id == ""
