"""What the API server's words about a pod mean. Pure.

After a node has fallen silent nobody updates its pods; the control plane only marks them as not ready, and their
containers' states stay as they were. That contradiction is what tells such a pod from one whose probe says no.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activities.clients.ports import Rollout
from activities.pods.models import PodSeen, Trouble
from activities.postgres.models.survey import PodFact

_OVERDUE = timedelta(seconds=10)
"""After the end of its grace: a kubelet that lives has killed everything by then, and says so within a second or two."""
_CANNOT_START = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError",
}  # fmt: skip
_EVENT_CHARACTERS = 300
_EPHEMERAL = {"emptyDir", "configMap", "secret", "projected", "downwardAPI", "ephemeral", "image"}
"""Kinds of volumes that end with their pod, or that it cannot write."""
MAY_RUN_TWICE = "failover/may-run-twice"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def pod_seen(pod: dict[str, Any], now: datetime) -> PodSeen | None:
    """Return what a pod's JSON says; ``None`` for one that leaves within its grace."""
    status, conditions = pod.get("status") or {}, _conditions(pod)
    trouble, words = _trouble(pod, conditions, now)
    if trouble is None:
        return None
    containers = _main_first(pod, status.get("containerStatuses") or [])
    return PodSeen(
        name=pod["metadata"]["name"],
        uid=pod["metadata"]["uid"],
        node=(pod.get("spec") or {}).get("nodeName") or "",
        trouble=trouble,
        words=words[:_EVENT_CHARACTERS],
        since=None if trouble is Trouble.NONE else _since(pod, conditions),
        container=_concerned(pod, containers),
        restarts=_restarts(containers[:1]),
        last_end=_last_end(containers),
        volumes=data_volumes(pod),
    )


def pod_fact(pod: dict[str, Any]) -> PodFact:
    """Return what a survey of a cluster wants to know of a member's pod."""
    status = pod.get("status") or {}
    containers = _main_first(pod, status.get("containerStatuses") or [])
    return PodFact(
        name=pod["metadata"]["name"],
        phase=status.get("phase", "Unknown"),
        ready=_conditions(pod).get("Ready", {}).get("status") == "True",
        node=(pod.get("spec") or {}).get("nodeName"),
        role=(pod["metadata"].get("labels") or {}).get("role"),
        restarts=_restarts(containers),
        address=status.get("podIP"),
        container=_state_of(containers[0]) if containers else "",
    )


def main_container(pod: dict[str, Any]) -> str:
    """Return the container that a pod is there for: the one that its annotation names as kubectl's default, else the first.

    The API chooses none where there are several, and lists their states by name: a sidecar may come first there.
    """
    names = [str(one["name"]) for one in (pod.get("spec") or {}).get("containers") or []]
    named = str((pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER, ""))
    return named if named in names else next(iter(names), "")


def data_volumes(pod: dict[str, Any]) -> tuple[str, ...]:
    """Return the volumes that a pod may write and that outlive it: a second pod would write them as well.

    None where the pod says that it may run twice for a while. Whether a claim may be shared does not tell that.
    """
    if (pod["metadata"].get("annotations") or {}).get(MAY_RUN_TWICE) == "true":
        return ()
    volumes = (pod.get("spec") or {}).get("volumes") or []
    return tuple(_volume(one) for one in volumes if _outlives(one) and _is_written(pod, one["name"]))


def _outlives(volume: dict[str, Any]) -> bool:
    kinds = set(volume) - {"name"}
    return not kinds <= _EPHEMERAL and not any((volume[kind] or {}).get("readOnly") for kind in kinds)


def _is_written(pod: dict[str, Any], name: str) -> bool:
    spec = pod["spec"]
    containers = [one for kind in ("containers", "initContainers", "ephemeralContainers") for one in spec.get(kind) or []]
    devices = any(one["name"] == name for container in containers for one in container.get("volumeDevices") or [])
    mounts = [one for container in containers for one in container.get("volumeMounts") or [] if one["name"] == name]
    return devices or any(not one.get("readOnly") for one in mounts)


def _volume(volume: dict[str, Any]) -> str:
    kind = next(iter(set(volume) - {"name"}))
    if kind == "persistentVolumeClaim":
        return f"claim {volume[kind].get('claimName')}"
    return f"{kind} {(volume[kind] or {}).get('path') or volume['name']}"


def _main_first(pod: dict[str, Any], containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    main = main_container(pod)
    return sorted(containers, key=lambda one: one.get("name") != main)


def _concerned(pod: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    return next((one["name"] for one in containers if not one.get("ready") and "name" in one), main_container(pod))


def _trouble(pod: dict[str, Any], conditions: dict[str, dict[str, Any]], now: datetime) -> tuple[Trouble | None, str]:
    """Return (trouble, words); ``None`` for a pod that leaves in time."""
    status = pod.get("status") or {}
    if (until := pod["metadata"].get("deletionTimestamp")) is not None:
        late = now - datetime.fromisoformat(until)
        return (Trouble.STUCK, f"should have gone {late.total_seconds():.0f} s ago") if late > _OVERDUE else (None, "")
    if status.get("phase") in {"Failed", "Succeeded"}:
        return Trouble.OVER, f"{status.get('reason') or status['phase']}: {status.get('message') or ''}".rstrip(": ")
    if conditions.get("Ready", {}).get("status") == "True":
        return Trouble.NONE, ""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Trouble.UNSCHEDULED, str(scheduled.get("message") or scheduled.get("reason") or "")
    return _of_containers(_main_first(pod, status.get("containerStatuses") or []), conditions)


def _of_containers(containers: list[dict[str, Any]], conditions: dict[str, dict[str, Any]]) -> tuple[Trouble, str]:
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        code, words = waiting.get("reason", ""), str(waiting.get("message") or "")
        if code == "CrashLoopBackOff":
            return Trouble.CRASHING, words
        if code in _CANNOT_START:
            return Trouble.CANNOT_START, f"{code}: {words}".rstrip(": ")
    ready = conditions.get("Ready", {})
    if not containers or not all("running" in (one.get("state") or {}) for one in containers):
        return Trouble.STARTING, str(ready.get("message") or "")
    if all(one.get("ready") for one in containers):
        return Trouble.NODE_SILENT, "marked as not ready by the control plane while its containers were last seen ready"
    return Trouble.NOT_READY, str(ready.get("message") or "")


def _restarts(containers: list[dict[str, Any]]) -> int:
    return sum(int(one.get("restartCount") or 0) for one in containers)


def _state_of(container: dict[str, Any]) -> str:
    """Return what the kubelet says of a container: ``running``, ``waiting: REASON`` or ``ended: REASON``."""
    state = container.get("state") or {}
    for kind, word in (("waiting", "waiting"), ("terminated", "ended")):
        if (found := state.get(kind)) is not None:
            return f"{word}: {found.get('reason') or 'no reason given'}"
    return "running" if "running" in state else ""


def _conditions(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or []}


def _since(pod: dict[str, Any], conditions: dict[str, dict[str, Any]]) -> datetime:
    at = conditions.get("Ready", {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(at)


def _last_end(containers: list[dict[str, Any]]) -> str:
    for container in containers:
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if (ended := state.get("terminated")) is not None:
                return f"{ended.get('reason') or 'ended'} ({ended.get('exitCode')})"
    return ""


def rollout_of(deployment: dict[str, Any]) -> Rollout:
    """Return what a Deployment's JSON says of its rollout."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = int(spec.get("replicas", 1))
    updated, available, total = (int(status.get(key) or 0) for key in ("updatedReplicas", "availableReplicas", "replicas"))
    seen = int(status.get("observedGeneration") or 0) >= int(deployment["metadata"]["generation"])
    done = seen and updated == wanted and available == wanted and total == wanted
    failure = _conditions(deployment).get("ReplicaFailure", {})
    refused = str(failure.get("message") or failure.get("reason") or "") if failure.get("status") == "True" else ""
    return Rollout(
        ready=min(updated, available) if seen else 0,
        wanted=wanted,
        done=done,
        paused=bool(spec.get("paused")),
        refused=refused[:_EVENT_CHARACTERS],
    )


def event_line(event: dict[str, Any]) -> tuple[str, str]:
    """Return (time, line) of an event's JSON; the time is what they are sorted by."""
    at = str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
    times = int(event.get("count") or (event.get("series") or {}).get("count") or 1)
    often = f" x{times}" if times > 1 else ""
    clock = at[11:19] or "?"
    return at, f"{clock} {event.get('type')} {event.get('reason')}{often}: {event.get('message') or ''}"[:_EVENT_CHARACTERS]
