"""A region that is watched, as the estate has it: one public name, another region that would survive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from activities.detection.models import Condition, Finding, Look
from estate.base import Region
from estate.regions import WatchedRegion
from estate.watching import RegionWatching
from tests.region.samples import ENTRY as DATABASE
from tests.traffic.samples import AWAY, ENTRY, HOME
from tests.traffic.samples import TARGET as NAME

QUICKLY = dict.fromkeys(("stopped_after", "refused_after", "silent_after", "steady_after"), timedelta(0))
TARGET = WatchedRegion(
    name=HOME,
    region=Region(location="East US", namespace="aiagent-prod", context="aiagent-aks"),
    watch=RegionWatching(interval=timedelta(seconds=0.05), **QUICKLY),
    to=AWAY,
    survivor=Region(location="West US 2", namespace="aiagent-prod", context="aiagent-aks-dr"),
    names=(NAME,),
)
EDGE, SERVER = f"edge of {NAME.name}", f"API server of {HOME}"


def list_region(estate: Path) -> str:
    """Have a region of its own watched in ``estate``, which has a cluster only; return its name."""
    name = f"lost-{uuid4().hex[:8]}"
    content: dict[str, Any] = yaml.safe_load(estate.read_text(encoding="utf-8"))
    content["regions"] |= {one: {"location": one, "namespace": "aiagent-prod", "context": one} for one in (name, AWAY)}
    servers = {f"a-{name}": {"resource_group": "a", "region": name}, f"b-{name}": {"resource_group": "b", "region": AWAY}}
    content["flexible_servers"] = {f"db-{name}": {**DATABASE, "region": name, "servers": servers}}
    places = {name: {"health": "https://east.example/h"}, AWAY: {"health": "https://west.example/h"}}
    ways = {"resource_group": "rg", "profile": "tm", "endpoints": {name: "east", AWAY: "west"}}
    entry = {"region": name, "regions": places, "traffic_manager": ways, "front_door": None}
    content["traffic"] = {f"api-{name}": {**ENTRY, **entry}}
    quickly = dict.fromkeys(QUICKLY, "PT0S") | {"interval": "PT0.05S"}
    content["region_failovers"] = {
        name: {"to": AWAY, "databases": [f"db-{name}"], "traffic": [f"api-{name}"], "overlay": "/x", "watch": quickly,
               "approvals": {"planned": {"roles": ["DBA"]}, "forced": {"roles": ["DBA"]}}}
    }  # fmt: skip
    estate.write_text(yaml.safe_dump(content), encoding="utf-8")
    return name


def lost(name: str) -> Look:
    """Return what a witness sees of a lost region whose edge has failed, too."""
    return Look(
        findings=(
            Finding(subject=f"edge of api-{name}", condition=Condition.STOPPED, words="https://api.example answers 503"),
            Finding(subject=name, condition=Condition.SILENT, words="nothing answers"),
        )
    )
