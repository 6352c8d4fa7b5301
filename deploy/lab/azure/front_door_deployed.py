"""What the configuration at the edge says: which origin group an endpoint leads to, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.lab.azure.front_door_state import ENABLED, Path, Snapshot, children, key_of_id

DEFAULT_SAMPLES, DEFAULT_GOOD, DEFAULT_INTERVAL = 4, 3, 240
_ALL = "/*"
_LAST_PRIORITY, _MOST_WEIGHT = 1, 1000


@dataclass(frozen=True)
class Origin:
    """An origin that is enabled. The lowest priority is asked first."""

    host: str
    priority: int
    weight: int


@dataclass(frozen=True)
class Health:
    """How origins are probed, every so many ``seconds``: ``good`` of the last ``samples`` answers must have been 200."""

    path: str
    seconds: float
    samples: int
    good: int
    method: str


@dataclass(frozen=True)
class Group:
    """An origin group: its enabled origins by name. Without ``health`` none of them is probed, and all are healthy."""

    origins: Mapping[str, Origin]
    health: Health | None


def group_of(snapshot: Snapshot, endpoint: str) -> Path | None:
    """Return the key of the group that requests to an endpoint, its name or its host name, are led to. None: to nobody."""
    wanted = endpoint.lower()
    for path, found in snapshot.items():
        if path[-2] == "afdendpoints" and wanted in {path[-1], str(found["hostName"]).lower()}:
            routes = [snapshot[one] for one in children(snapshot, path, "routes")]
            takes = [one for one in routes if one["enabledState"] == ENABLED and _ALL in one["patternsToMatch"]]
            return key_of_id(takes[0]["originGroup"]["id"]) if takes and found["enabledState"] == ENABLED else None
    return None


def groups(snapshot: Snapshot) -> dict[Path, Group]:
    """Return all origin groups by key."""
    return {path: _group(snapshot, path) for path in snapshot if path[-2] == "origingroups"}


def _group(snapshot: Snapshot, key: Path) -> Group:
    found = {path[-1]: snapshot[path] for path in children(snapshot, key, "origins")}
    return Group(
        {name: _origin(one) for name, one in found.items() if one["enabledState"] == ENABLED}, _health(snapshot[key])
    )


def _origin(told: Mapping[str, Any]) -> Origin:
    return Origin(str(told["hostName"]), told.get("priority") or _LAST_PRIORITY, told.get("weight") or _MOST_WEIGHT)


def _health(told: Mapping[str, Any]) -> Health | None:
    probe, balancing = told.get("healthProbeSettings"), told.get("loadBalancingSettings") or {}
    if not probe:
        return None
    return Health(
        probe.get("probePath") or "/",
        probe.get("probeIntervalInSeconds") or DEFAULT_INTERVAL,
        balancing.get("sampleSize") or DEFAULT_SAMPLES,
        balancing.get("successfulSamplesRequired") or DEFAULT_GOOD,
        probe.get("probeRequestType") or "HEAD",
    )
