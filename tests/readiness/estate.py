"""An estate of any size, with every kind of target in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.azure.pair import SUBSCRIPTION
from tests.fakes.world import A, B

A_UNIT = 20
"""Targets that are listed together."""
CASES_OF_A_UNIT = 36
"""Dry runs that these need."""
_HERE = "eastus"


def content_of(targets: int) -> dict[str, Any]:
    """Return an estate with so many targets, a multiple of ``A_UNIT``; of each unit two are nodes."""
    content: dict[str, Any] = {
        "regions": {_HERE: _region()}, "people": {"dana": ["DBA"], "mona": ["Manager"], "carl": ["CTO"]},
        "witnesses": [], "node_pools": {"workers": {"region": _HERE, "selector": {"agentpool": "workers"}}},
    }  # fmt: skip
    for unit in range(targets // A_UNIT):
        for section, entries in _unit(unit).items():
            content.setdefault(section, {}).update(entries)
    return content


def write_estate(path: Path, targets: int) -> None:
    """Write it."""
    path.write_text(yaml.safe_dump(content_of(targets), sort_keys=False), encoding="utf-8")


def _region() -> dict[str, str]:
    return {"location": "East US", "namespace": "aiagent-prod"}


def _unit(unit: int) -> dict[str, dict[str, Any]]:
    home, away, database, traffic = f"home-{unit}", f"away-{unit}", f"db-{unit}", f"public-{unit}"
    return {
        "regions": {home: _region(), away: _region()},
        "postgres": {f"orders-{unit}-{number}": _cluster() for number in range(8)},
        "redis": {f"cache-{unit}-{number}": _deployment() for number in range(3)},
        "workloads": {f"api-{unit}-{number}": {"region": _HERE, "deployment": "api-deployment"} for number in range(3)},
        "flexible_servers": {database: _flexible(unit, home, away)},
        "gateways": {f"gateway-{unit}": _gateway()},
        "traffic": {traffic: _traffic(traffic, home, away)},
        "region_failovers": {home: _leaving(away, database, traffic)},
    }


def _cluster() -> dict[str, Any]:
    return {
        "region": _HERE, "database": "aiagent_prod", "members": [A, B], "write_service": "postgresql-primary",
        "gate": {"token": "env:GATE_TOKEN"}, "login": {"password": "env:OPERATOR_PASSWORD"},
        "applications": [{"deployment": "api-deployment"}],
    }  # fmt: skip


def _deployment() -> dict[str, Any]:
    return {"region": _HERE, "servers": ["redis-0", "redis-1"], "sentinels": ["s-0", "s-1", "s-2"]}


def _flexible(unit: int, home: str, away: str) -> dict[str, Any]:
    servers = {f"old-{unit}": home, f"new-{unit}": away}
    return {
        "region": home, "subscription": SUBSCRIPTION, "virtual_endpoint": "aiagent", "database": "aiagent",
        "servers": {name: {"resource_group": "rg", "region": region} for name, region in servers.items()},
        "login": {"password": "env:FLEXIBLE_PASSWORD"},
    }  # fmt: skip


def _gateway() -> dict[str, Any]:
    backends = ["10.0.1.10", "10.0.1.11"]
    return {
        "region": _HERE, "subscription": SUBSCRIPTION, "resource_group": "rg", "pool": "api-pool", "backends": backends,
        "settings": "api-http-settings",
    }  # fmt: skip


def _traffic(name: str, home: str, away: str) -> dict[str, Any]:
    url = "https://api.example.com"
    return {
        "region": home, "subscription": SUBSCRIPTION, "edge": {"url": url},
        "regions": {home: {"health": url}, away: {"health": url}},
        "traffic_manager": {"resource_group": "rg", "profile": name, "endpoints": {home: f"{name}-1", away: f"{name}-2"}},
    }  # fmt: skip


def _leaving(away: str, database: str, traffic: str) -> dict[str, Any]:
    return {
        "to": away, "databases": [database], "traffic": [traffic], "overlay": "/overlays/dr", "applications": ["api"],
        "checks": {"url": "https://api.example.com", "token": "env:TOKEN"},
    }  # fmt: skip
