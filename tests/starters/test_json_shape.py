"""Every JSON answer about a run has the same keys at its top, whatever becomes of the command."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import World
from tests.postgres.bench import serving
from tests.starters.conftest import Stage, command_for
from tests.starters.recorded import KINDS, report
from tests.starters.test_usage import run

_SHAPE = {"exit_code", "workflow", "workflow_id", "run_id", "outcome", "phase", "digest", "status"}


@pytest_asyncio.fixture(loop_scope="session")
async def asking(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    """Ask a DBA, and wait longer than all commands of a test take."""
    policy = {"planned": {"roles": ["DBA"], "window": "PT10M"}}
    async with serving(temporal, tmp_path, World(), approvals=policy) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


def _checked(document: dict[str, Any], code: int) -> dict[str, Any]:
    """Return the document, which has the shape."""
    assert document.keys() >= _SHAPE, sorted(_SHAPE - document.keys())
    assert document["exit_code"] == code, document
    assert document["status"] is None or isinstance(document["status"], dict)
    return document


async def test_from_start_to_cancel(asking: Stage) -> None:
    """The digest is at the top from ``start`` on, and stays when the run has ended; then ``status`` is ``null``."""
    start = ("start", "postgres-failover", asking.cluster, "--by", "omar", "--no-follow")
    planned = _checked((await asking.failover("plan", "postgres-failover", asking.cluster, "-o", "json")).document, 0)
    started = _checked((await asking.failover(*start, "-o", "json")).document, 4)
    digest = started["digest"]
    assert digest
    assert planned["digest"]
    for command, code in (("status", 4), ("follow", 4), ("report", 4), ("resume", 4)):
        more = {"follow": ("--timeout", "1s"), "resume": ("--by", "dana")}.get(command, ())
        answer = _checked((await asking.failover(command, asking.cluster, *more, "-o", "json")).document, code)
        assert answer["digest"] == digest, command
        assert answer["phase"] == "awaiting approval"
        assert answer["outcome"] is None
        assert answer["status"]["plan"]["digest"] == digest, command
    cancelled = _checked((await asking.failover("cancel", asking.cluster, "-o", "json")).document, 0)
    ended = _checked((await asking.failover("status", asking.cluster, "-o", "json")).document, 1)
    for answer in (cancelled, ended):
        assert (answer["digest"], answer["outcome"], answer["status"]) == (digest, "cancelled", None)


@pytest.mark.parametrize("vote", ["approve", "reject"])
async def test_a_vote(asking: Stage, vote: str) -> None:
    await asking.waits_for_approval()
    nobody = _checked((await asking.failover(vote, asking.cluster, "--by", "dana", "-o", "json")).document, 2)
    assert (nobody["digest"], nobody["error"].splitlines()[0][:5]) == (None, "plan:")
    status = await asking.bench.status(asking.bench.client.get_workflow_handle(f"postgres/{asking.cluster}"))
    digest = status.plan.digest if status.plan else ""
    voted = await asking.failover(vote, asking.cluster, "--by", "dana", "--plan", digest, "-o", "json")
    answer = _checked(voted.document, 0)
    assert (answer["digest"], answer["workflow_id"]) == (digest, f"postgres/{asking.cluster}")
    assert answer["decision"]


async def test_an_attestation_and_an_override_that_nothing_waits_for(asking: Stage) -> None:
    await asking.waits_for_approval()
    attest = ("attest", asking.cluster, "--member", "postgresql-primary-0", "--by", "dana", "-o", "json")
    _checked((await asking.failover(*attest)).document, 3)
    _checked((await asking.failover("override-budget", "node-nine", "--by", "dana", "-o", "json")).document, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_history(kind: str) -> None:
    for args in (("--output", "json"), ("--format", "json")):
        answer = _checked(json.loads(report(kind, *args).stdout), KINDS[kind])
        assert answer["status"] is None
        assert bool(answer["digest"]) is (kind != "refused")


@pytest.mark.parametrize("command", ["plan", "start", "drill", "follow", "status", "approve", "reject", "attest", "cancel"])
def test_a_refusal(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong stands in ``error``; what is not known is ``null``."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    more = {"plan": ("nonsense",), "start": ("nonsense",), "drill": ("start",), "attest": ("--member", "a")}
    ran = run(command, *more.get(command, ()) if command != "attest" else (), "orders",
              *(more["attest"] if command == "attest" else ()), "-o", "json")  # fmt: skip
    answer = _checked(json.loads(ran.stdout), ran.exit_code)
    assert answer["error"]
    assert answer["run_id"] is None
