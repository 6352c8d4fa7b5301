"""Records of drills for tests: keys, drills, and a worker's step that seals them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from asyncssh import SSHKey, generate_private_key
from temporalio.testing import ActivityEnvironment

from activities.clients.signatures import judge
from activities.drills.evidence import EvidenceActivities, Sealed, SealRequest
from activities.drills.record import Criterion, DrillRecord, DrillWord, Part
from activities.run.evidence import NAMESPACE, findings
from activities.run.evidence_files import read_all
from activities.run.inventory import Inventory
from activities.run.models.wire import RunId
from estate.signers import SigningKey

BEGAN = datetime(2026, 11, 4, 2, 0, tzinfo=UTC)


@cache
def key(name: str = "worker") -> SSHKey:
    """Return one key per name."""
    return generate_private_key("ssh-ed25519", comment=name)


def public(name: str = "worker") -> str:
    return key(name).export_public_key().decode()


def private(name: str = "worker") -> str:
    return key(name).export_private_key().decode()


def write_estate(folder: Path, **more: Any) -> Path:
    """Write an estate with a calendar, whose records are kept in ``folder``, and return its file."""
    sunday = {"day": "Sunday", "window": {"begins": "02:00", "ends": "05:00"}}
    calendar = {
        "pods": {"kind": "pod", "target": "api", "every": "month", **sunday, "day": "Wednesday"},
        "cache": {"kind": "redis", "target": "mymaster", "every": "quarter", **sunday},
    }
    redis = {"region": "eastus", "servers": ["a", "b"], "sentinels": ["s1", "s2", "s3"], "password": "env:REDIS"}
    estate: dict[str, Any] = {
        "regions": {"eastus": {"location": "East US", "namespace": "here"}},
        "workloads": {"api": {"region": "eastus", "deployment": "api", "service": "api"}},
        "redis": {"mymaster": redis},
        "people": {"dana": ["DBA"]},
        "records": str(folder / "records"),
        "drills": {"time_zone": "UTC", "calendar": calendar, "sealed_by": [{"key": public()}]},
    }
    path = folder / "estate.yaml"
    path.write_text(yaml.safe_dump({**estate, **more}), encoding="utf-8")
    return path


def drilled(number: int = 1, **more: Any) -> DrillRecord:
    """Return a drill that has passed, the ``number``-th."""
    began = BEGAN + timedelta(days=7 * number)
    run = f"{number:08d}-run"
    record = DrillRecord(
        drill="cache", kind="redis", target="mymaster", run=RunId(workflow_id="drill/cache", run_id=run), by="schedule",
        due_at=began, began_at=began, ended_at=began + timedelta(minutes=9), passed=True,
        criteria=(Criterion(name="master elected within 10 s", wanted="10 s", seen="2.1 s", met=True),),
        parts=(
            Part(role="there", workflow="redis-failover", run=RunId(workflow_id="redis/m", run_id="1"), outcome="completed"),
            Part(role="back", workflow="redis-failover", run=RunId(workflow_id="redis/m", run_id="2"), outcome="completed"),
        ),
        rto_seconds=2.1, rpo_rows=0, objective_seconds=10.0, compared=True,
        word=DrillWord(by="dana", passed=True, notes="seen", at=began + timedelta(minutes=9), key="SHA256:x"),
    )  # fmt: skip
    return record.model_copy(update=more)


def wrong(root: Path) -> tuple[str, ...]:
    """Return all that is not as the worker has sealed it."""
    keys = (SigningKey.model_validate({"key": public()}),)
    return findings(read_all(root), lambda text, signature, at: judge(text, signature, keys, at, NAMESPACE).why)


class Histories:
    """In place of Temporal: a history for every run, and what goes wrong."""

    def __init__(self, error: Callable[[str], Exception | None] = lambda _: None) -> None:
        self._error, self._run = error, ""

    def get_workflow_handle(self, _: str, *, run_id: str) -> Histories:
        one = Histories(self._error)
        one._run = run_id
        return one

    async def fetch_history(self) -> Histories:
        if error := self._error(self._run):
            raise error
        return self

    def to_json(self) -> str:
        return f'{{"events": [], "of": "{self._run}"}}'


def seal(estate: Path, record: DrillRecord, *, by: Callable[[], str] | None = private, **more: Any) -> Sealed:
    """Do the step as a worker does it that serves the run of ``record``.

    ``of``: it serves another one. ``temporal``: where histories come from. ``attempt``: the how-manieth.
    """
    client: Any = more.pop("temporal", Histories())
    run: RunId = more.pop("of", record.run)
    environment = ActivityEnvironment(client=client)
    environment.info = replace(
        environment.info, workflow_id=run.workflow_id, workflow_run_id=run.run_id, attempt=more.pop("attempt", 1)
    )
    request = SealRequest(record=record, report=more.pop("report", {"outcome": "completed"}), **more)
    done: Sealed = asyncio.run(environment.run(EvidenceActivities(Inventory(estate), by).seal, request))
    return done
