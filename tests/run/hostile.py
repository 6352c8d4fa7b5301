"""What somebody sends to a step who can schedule it, and does not mean well: made from the type of each step's request."""

from __future__ import annotations

import types
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from estate.base import Target
from estate.drilled import DrillTarget
from estate.flexible import FlexibleTarget
from estate.gateways import GatewayTarget
from estate.nodes import NodePoolTarget, NodeTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.regions import RegionTarget, WatchedRegion
from estate.traffic import TrafficTarget
from estate.workloads import WorkloadTarget

_PLAIN: dict[Any, Any] = {
    str: "x",
    int: 1,
    float: 1.0,
    bool: True,
    datetime: datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
    timedelta: "PT1S",
}


def targets(name: str, host: str, port: int, secret: str) -> dict[type[Target], dict[str, Any]]:
    """Return a target of each kind called ``name`` that leads to ``host`` and carries ``secret`` there."""
    shared = {
        "name": name,
        "region": {"location": "here", "namespace": "evil", "context": "evil"},
        "people": {"eve": ["DBA"]},
    }
    gate = {"token": secret, "address": host, "port": port}
    cluster = {
        "region": "here", "database": "x", "members": [name], "write_service": host, "gate": gate,
        "login": {"password": secret, "port": port, "user": "eve"},
    }  # fmt: skip
    servers = {"a": {"resource_group": "a", "region": "here"}, "b": {"resource_group": "b", "region": "there"}}
    database = {
        "region": "here", "subscription": "66666666-6666-6666-6666-666666666666", "servers": servers, "database": "x",
        "virtual_endpoint": "x", "nameserver": host, "nameserver_port": port,
        "login": {"password": secret, "port": port, "user": "eve", "sslmode": "disable"},
    }  # fmt: skip
    pods = {"servers": ["a", "b"], "sentinels": ["a", "b", "c"], "port": port, "sentinel_port": port, "password": secret}
    places = {"here": {"health": f"http://{host}:{port}/here"}, "there": {"health": f"http://{host}:{port}/there"}}
    public = {
        "region": "here", "subscription": "66666666-6666-6666-6666-666666666666", "regions": places,
        "edge": {"url": f"http://{host}:{port}/"}, "nameserver": host, "nameserver_port": port,
        "traffic_manager": {"resource_group": "a", "profile": "x", "endpoints": {"here": "a", "there": "b"}},
    }  # fmt: skip
    machines = {"kind": "http", "may_end": True, "address": f"http://{host}:{port}", "token": secret}
    pool = {"region": "here", "machines": machines}
    gateway = {
        "region": "here", "subscription": "66666666-6666-6666-6666-666666666666", "resource_group": "x", "pool": "x",
        "backends": [host],
    }  # fmt: skip
    return {
        PostgresTarget: {**shared, "cluster": cluster},
        FlexibleTarget: {**shared, "database": database},
        GatewayTarget: {**shared, "gateway": gateway},
        RedisTarget: {**shared, "deployment": {"region": "here", **pods}},
        TrafficTarget: {**shared, "entry": public},
        WorkloadTarget: {**shared, "workload": {"region": "here", "deployment": name, "service": host, "port": port}},
        NodePoolTarget: {**shared, "settings": pool},
        RegionTarget: {
            **shared,
            "settings": {"to": "there", "databases": [name], "overlay": "/evil", "checks": {"url": f"http://{host}:{port}"}},
            "to": {"location": "there", "namespace": "evil", "context": "evil"},
            "databases": [{**shared, "database": database}],
        },
        WatchedRegion: {
            **shared,
            "watch": {},
            "to": "there",
            "survivor": {"location": "there", "namespace": "evil", "context": "evil"},
            "names": [{**shared, "entry": public}],
        },
        NodeTarget: {**shared, "settings": pool, "pool": "workers"},
        DrillTarget: {
            **shared,
            "drill": {
                "kind": "database",
                "target": name,
                "every": "year",
                "day": "Sunday",
                "window": {"begins": "01:00", "ends": "05:00"},
            },
            "time_zone": "UTC",
            "postgres": [{**shared, "cluster": cluster}],
            "redis": [{**shared, "deployment": {"region": "here", **pods}}],
        },
    }


def request_of(kind: Any, hostile: dict[type[Target], dict[str, Any]]) -> Any:
    """Return JSON that ``kind`` takes, as short as it can be, with hostile targets in it."""
    if isinstance(kind, type) and issubclass(kind, Target):
        return hostile[kind]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return {name: request_of(field.annotation, hostile) for name, field in fields if field.is_required()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    arguments = get_args(kind)
    if get_origin(kind) in {Union, types.UnionType}:
        return request_of(arguments[0], hostile)
    if get_origin(kind) in {tuple, list}:
        return []
    return {} if get_origin(kind) is dict else _PLAIN[kind]
