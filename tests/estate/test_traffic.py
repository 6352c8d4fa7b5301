"""Public names in the estate file: what cannot be is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from estate.base import EstateError
from estate.loader import load_estate
from estate.model import Estate
from estate.resolving import resolve_traffic

_EXAMPLE = (Path(__file__).resolve().parents[2] / "deploy/estate.example.yaml").read_text(encoding="utf-8")
_REGIONS = """regions:
  eastus: {location: East US, namespace: aiagent-prod}
  westus2: {location: West US 2, namespace: aiagent-prod}
"""
_TRAFFIC = """traffic:
  aiagent:
    region: eastus
    subscription: 11111111-2222-3333-4444-555555555555
    edge: {url: "https://api.example/health"}
    regions:
      eastus: {health: "https://eastus.example/h"}
      westus2: {health: "https://westus2.example/h"}
    front_door: {resource_group: a, profile: p, endpoint: e, route: r, origin_groups: {eastus: one, westus2: two}}
    traffic_manager: {resource_group: a, profile: t, endpoints: {eastus: one, westus2: two}}
"""


def _load(folder: Path, text: str) -> Any:
    path = folder / "estate.yaml"
    path.write_text(text, encoding="utf-8")
    return load_estate(path)


def test_a_public_name() -> None:
    target = resolve_traffic(Estate.model_validate(yaml.safe_load(_REGIONS + _TRAFFIC)), "aiagent")
    assert (target.place("westus2"), target.entry.told_by("westus2")) == ("westus2 (West US 2)", "westus2")
    assert target.entry.thresholds.edge_within.total_seconds() == 90 * 60


def test_the_example_s_public_name_can_be_used(tmp_path: Path) -> None:
    lines = _EXAMPLE.split("# traffic:")[1].split("\n\n")[0].splitlines()
    section = "\n".join(["traffic:", *(line.removeprefix("# ").removeprefix("#") for line in lines[1:])])
    text = _EXAMPLE.replace("  # westus2:", "  westus2: {location: West US 2, namespace: aiagent-prod}\n  # westus2:", 1)
    estate = _load(tmp_path, f"{text}\n{section}\n")
    door = estate.traffic["aiagent"].front_door
    assert (door.profile, door.endpoint, door.route, door.origin_groups["westus2"]) == (
        "aiagent-frontdoor", "aiagent-api", "default-route", "dr-region-backend-pool",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("eastus: {health", "northeurope: {health"), "regions must be two or more, eastus among them"),
        (("origin_groups: {eastus: one, westus2: two}", "origin_group: g"), "give either origin_groups"),
        (("{eastus: one, westus2: two}", "{eastus: one, westus2: one}"), "front_door must name one thing of its own"),
        (("endpoints: {eastus: one, westus2: two}", "endpoints: {eastus: one}"), "traffic_manager must name one thing"),
        (('h"}\n      w', 'h", tells: westus2}\n      w'), "tells must differ"),
        (('health"}', 'health", header: ""}\n    nameserver: here'), "must be the address of a DNS server"),
        (("https://api", "ftp://api"), "edge.url"),
        (("region: eastus\n", "region: northeurope\n"), "northeurope among them"),
    ],
)
def test_a_public_name_that_cannot_be_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    with pytest.raises(EstateError) as wrong:
        _load(tmp_path, _REGIONS + _TRAFFIC.replace(*change, 1))
    assert words in str(wrong.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"traffic_manager": None}, "traffic.shop moves route R of endpoint e, which is aiagent's already"),
        ({"front_door": None}, "traffic.shop moves Traffic Manager profile t, which is aiagent's already"),
        ({"traffic_manager": None, "front_door": {"route": "another"}}, ""),
    ],
)
def test_two_public_names_must_not_move_the_same_lever(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    content = yaml.safe_load(_REGIONS + _TRAFFIC)
    shop = yaml.safe_load(_TRAFFIC)["traffic"]["aiagent"]
    shop["front_door"]["route"] = "R"
    for name, part in change.items():
        shop[name] = {**shop[name], **part} if part else None
    content["traffic"]["shop"] = shop
    if words:
        with pytest.raises(EstateError) as refusal:
            _load(tmp_path, yaml.safe_dump(content))
        assert words in str(refusal.value), refusal.value
    else:
        assert set(_load(tmp_path, yaml.safe_dump(content)).traffic) == {"aiagent", "shop"}
