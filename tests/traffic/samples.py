"""A public name, and what a survey of it shows, for decisions that need no Azure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.traffic.models import (
    Answer,
    HealthFact,
    Lever,
    LeverFact,
    NameFact,
    Setting,
    Side,
    SideFact,
    TrafficSurvey,
)
from estate.base import Region
from estate.traffic import TrafficEntry, TrafficTarget

HOME, AWAY = "eastus", "westus2"
NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
ENTRY: dict[str, Any] = {
    "region": HOME, "subscription": "5f0c7a1e-2b7d-4a53-9a34-6f1de2c0b117",
    "edge": {"url": "https://api.aiagent.example/health"},
    "regions": {HOME: {"health": "https://east.example/h"}, AWAY: {"health": "https://west.example/h"}},
    "front_door": {
        "resource_group": "rg", "profile": "p", "endpoint": "e", "route": "default-route",
        "origin_groups": {HOME: "pool", AWAY: "dr-pool"},
    },
    "traffic_manager": {"resource_group": "rg", "profile": "tm", "endpoints": {HOME: "east", AWAY: "west"}},
}  # fmt: skip
TARGET = TrafficTarget(
    name="aiagent", region=Region(location="East US", namespace="aiagent-prod"),
    entry=TrafficEntry.model_validate(ENTRY), locations={HOME: "East US", AWAY: "West US 2"},
)  # fmt: skip


def endpoint(name: str, priority: int, *, enabled: bool = True, region: str = "", **more: Any) -> LeverFact:
    setting = Setting(priority=priority, enabled=enabled)
    return LeverFact(lever=Lever.ENDPOINT, name=name, kind="externalEndpoints", region=region, setting=setting, **more)


def origin(name: str, priority: int, *, enabled: bool = True) -> LeverFact:
    return LeverFact(lever=Lever.ORIGIN, name=name, setting=Setting(priority=priority, enabled=enabled))


def route(group: str, region: str, **more: Any) -> LeverFact:
    return LeverFact(lever=Lever.ROUTE, name="default-route", region=region, setting=Setting(group=group), **more)


def survey(**changes: Any) -> TrafficSurvey:
    """Return what is seen while everything goes to the first region; ``door`` and ``manager`` change the sides."""
    door, manager = changes.pop("door", {}), changes.pop("manager", {})
    sides = (
        SideFact(
            side=Side.TRAFFIC_MANAGER, routing="Priority", name="aiagent.trafficmanager.net", ttl_seconds=60,
            levers=(endpoint("east", 1, region=HOME), endpoint("west", 2, region=AWAY)),
        ).model_copy(update=manager),
        SideFact(side=Side.FRONT_DOOR, levers=(route("pool", HOME),)).model_copy(update=door),
    )  # fmt: skip
    seen: dict[str, Any] = {
        "at": NOW, "sides": sides, "edge": (Answer(region=HOME, status=200),) * 3,
        "name": NameFact(region=HOME, ttl_seconds=60),
        "health": (HealthFact(region=HOME, healthy=True), HealthFact(region=AWAY, healthy=True)),
    }  # fmt: skip
    return TrafficSurvey(**{**seen, **changes})


def moved(**changes: Any) -> TrafficSurvey:
    """Return what is seen once Azure leads everything to the second region; ``changes`` as those of ``survey``."""
    there: dict[str, Any] = {
        "manager": {"levers": (endpoint("east", 3, region=HOME), endpoint("west", 2, region=AWAY))},
        "door": {"levers": (route("dr-pool", AWAY),)},
        "edge": (Answer(region=AWAY, status=200),) * 3,
        "name": NameFact(region=AWAY, ttl_seconds=60),
    }  # fmt: skip
    return survey(**{**there, **changes})
