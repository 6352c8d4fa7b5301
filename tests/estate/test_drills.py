"""The calendar of drills in the estate file: a drill of nothing, or of nobody, is refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from estate.base import EstateError
from estate.drills import Kind
from estate.loader import load_estate

_EXAMPLE = Path(__file__).resolve().parents[2] / "deploy/estate.example.yaml"


def _with(folder: Path, **changes: Any) -> str:
    """Return what is wrong with the example, with one drill that is changed."""
    content = yaml.safe_load(_EXAMPLE.read_text(encoding="utf-8"))
    sunday = {"day": "Sunday", "window": {"begins": "02:00", "ends": "04:00"}}
    drill = {"kind": "pod", "target": "api", "every": "month", **sunday, **changes}
    content["drills"] = {"time_zone": "UTC", "calendar": {"one": drill}}
    (folder / "estate.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        load_estate(folder / "estate.yaml")
    except EstateError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("kind", "target"), [("pod", "api"), ("node", "workers"), ("redis", "mymaster"), ("database", "orders")]
)
def test_a_target_is_one_of_its_section(tmp_path: Path, kind: str, target: str) -> None:
    assert _with(tmp_path, kind=kind, target=target, participants=["DBA"]) == ""
    section = Kind(kind).section
    assert f"drills.calendar.one.target names 'other', which {section} does not list; known: {target}" in _with(
        tmp_path, kind=kind, target="other"
    )


def test_a_region_is_one_that_can_be_left(tmp_path: Path) -> None:
    assert "'eastus', which region_failovers does not list; known: none" in _with(tmp_path, kind="region", target="eastus")


def test_who_takes_part_is_somebody(tmp_path: Path) -> None:
    told = _with(tmp_path, participants=["DBA", "Auditor"])
    assert "drills.calendar.one.participants asks for Auditor, but nobody under people holds it" in told


def test_the_example_has_the_runbook_s_table() -> None:
    drills = load_estate(_EXAMPLE).drills
    assert drills is not None
    table = {
        (one.kind.value, one.target, one.every.value, one.day.value, f"{one.window.begins:%H:%M}-{one.window.ends:%H:%M}")
        for one in drills.calendar.values()
    }
    assert table == {
        ("pod", "api", "month", "Wednesday", "10:00-11:00"), ("node", "workers", "quarter", "Sunday", "02:00-04:00"),
        ("redis", "mymaster", "quarter", "Sunday", "02:00-04:00"),
        ("database", "orders", "half-year", "Sunday", "01:00-05:00"),
    }  # fmt: skip
