"""What Temporal knows by a name is complete, unique, and stays: an open run asks for it by that name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from tests.architecture import registered
from workers import composition
from workers.settings import WorkerSettings
from workflows.catalog import workflows

NAMES = Path(__file__).parent / "registered.txt"


def _names() -> set[str]:
    found = {f"activity {name}" for name in registered.activities()}
    for name, owners in registered.workflows().items():
        found.add(f"workflow {name}")
        found |= {f"workflow {name}: {handler}" for owner in owners for handler in registered.handlers(owner)}
    return found


def test_every_workflow_is_in_the_catalog() -> None:
    defined = {owner for owners in registered.workflows().values() for owner in owners}
    forgotten = sorted(owner.__qualname__ for owner in defined - set(workflows()))
    assert forgotten == [], f"no worker serves {forgotten}: list it in workflows/catalog.py"
    assert len(workflows()) == len(set(workflows())) == len(defined)


def test_every_activity_is_served_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[str] = []

    def keep(_: Any, *, activities: list[Any], **__: Any) -> None:
        served.extend(str(activity._Definition.must_from_callable(one).name) for one in activities)

    monkeypatch.setattr(composition, "Worker", keep)
    nobody: Any = None
    composition.make_worker(nobody, WorkerSettings(estate=tmp_path))
    composition.make_witness(nobody, WorkerSettings(estate=tmp_path, witness="east"))
    missing = sorted(registered.activities().keys() - set(served))
    assert missing == [], f"no worker serves {missing}, a run that asks for it waits for ever: see workers/composition.py"
    assert sorted(served) == sorted(set(served)), "an activity is served twice"


def test_registered_names_are_unique() -> None:
    assert {name: where for name, where in registered.activities().items() if len(where) > 1} == {}
    assert {name: owners for name, owners in registered.workflows().items() if len(owners) > 1} == {}


def test_registered_names_stay() -> None:
    kept = set(NAMES.read_text(encoding="utf-8").splitlines())
    gone, new = sorted(kept - _names()), sorted(_names() - kept)
    assert gone == [], (
        f"{gone}: open runs and their callers still ask for it by this name. Keep it as an alias of the new one until no run"
        " that was begun before can be open any more (docs/upgrades.md), then take the line off tests/architecture/"
        f"{NAMES.name}"
    )
    assert new == [], f"{new}: add these lines to tests/architecture/{NAMES.name}"
