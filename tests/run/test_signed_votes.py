"""Votes that are signed, where only such count: by update, by signal, and by the command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowUpdateFailedError

from estate.base import EstateError
from estate.loader import load_estate
from tests.fakes.faults import Fault
from tests.fakes.world import B, World
from tests.postgres.bench import Bench, Handle, serving, write_estate
from tests.run.signing_people import KEYS, SIGNED, SIGNERS, signed_vote
from workflows.run.models import Status


@pytest_asyncio.fixture(name="signing", loop_scope="session")
async def _signing(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(temporal, tmp_path, World(), approvals=SIGNED, signers=SIGNERS) as bench:
        yield bench


async def _waiting(bench: Bench) -> tuple[Handle, Status]:
    handle = await bench.switch()
    return handle, await bench.until_phase(handle, "awaiting approval")


async def _refused(handle: Handle, vote: dict[str, Any]) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("decide", vote)
    return str(refused.value.cause)


async def test_a_signed_vote_counts_and_its_key_is_kept(signing: Bench) -> None:
    handle, status = await _waiting(signing)
    [vote] = (await handle.execute_update("decide", signed_vote(handle.id, status)))["approval"]["votes"]
    assert (vote["by"], vote["verified"], vote["key"]) == ("dana", True, KEYS["dana"].get_fingerprint())
    result = await signing.finished(handle)
    assert (result.outcome, signing.world.writers) == ("completed", [B])


async def test_a_signal_counts_too_and_one_that_is_not_signed_right_is_dropped(signing: Bench) -> None:
    handle, status = await _waiting(signing)
    good = signed_vote(handle.id, status)
    for wrong in ({**good, "signature": ""}, {**good, "note": "changed"}, signed_vote(handle.id, status, key="mona")):
        await handle.signal("vote", wrong)
    assert (await signing.status(handle)).phase == "awaiting approval"
    await handle.signal("vote", good)
    assert (await signing.finished(handle)).outcome == "completed"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"signature": ""}, "signature: only signed votes count here; failover approve"),
        ({"signature": "garbage"}, "it is no SSH signature"),
        ({"signature": "x" * 9000}, "signature: string should have at most 8000 characters"),
        ({"approve": False}, "it is of another text"),
        ({"attest": True}, "it is of another text"),
        ({"role": ""}, "role and expires: a signature covers both"),
        ({"expires": None}, "role and expires: a signature covers both"),
        ({"expires": (datetime.now(UTC) + timedelta(days=9)).isoformat()}, "it is of another text"),
        ({"expires": (datetime.now(UTC) - timedelta(minutes=9)).isoformat()}, "sign again"),
        ({"by": "omar"}, "requested this run"),
        ({"by": "mona"}, "holds none of the roles"),
    ],
)
async def test_says_why_a_signature_does_not_count(signing: Bench, changes: dict[str, Any], complaint: str) -> None:
    handle, status = await _waiting(signing)
    assert complaint in await _refused(handle, {**signed_vote(handle.id, status), **changes})
    now = await signing.status(handle)
    assert now.approval is not None
    assert (now.phase, now.approval.votes) == ("awaiting approval", ())


async def test_the_signature_of_another_run_counts_for_none(signing: Bench) -> None:
    first, status = await _waiting(signing)
    old = signed_vote(first.id, status)
    await first.terminate("another one is begun")
    second, again = await _waiting(signing)
    assert again.plan is not None
    assert "is not the plan that waits" in await _refused(second, old)
    assert "it is of another text" in await _refused(second, {**old, "plan": again.plan.digest})


async def test_two_votes_of_one_person_at_once_are_one(signing: Bench) -> None:
    handle, status = await _waiting(signing)
    held = signing.world.faults.order("people.verify", Fault.HANGS)
    vote = signed_vote(handle.id, status)
    votes = [asyncio.create_task(handle.execute_update("decide", vote)) for _ in range(2)]
    await held.reached.wait()
    signing.world.faults.release()
    ended = await asyncio.gather(*votes, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in ended) <= 1
    assert (await signing.finished(handle)).outcome == "completed"
    now = await signing.status(handle)
    assert now.approval is not None
    assert len(now.approval.votes) == 1


def test_a_policy_that_nobody_can_meet_is_refused_when_the_estate_is_read(tmp_path: Path) -> None:
    write_estate(tmp_path / "estate.yaml", "orders", approvals=SIGNED, signers={"mona": SIGNERS["mona"]})
    with pytest.raises(EstateError, match=r"asks for DBA, but nobody under people holds it and has a key under signers"):
        load_estate(tmp_path / "estate.yaml")


@pytest.mark.parametrize(
    ("signers", "words"),
    [
        ({"stranger": SIGNERS["dana"]}, "signers.stranger: people lists nobody of that name"),
        ({"dana": SIGNERS["dana"], "mona": SIGNERS["dana"]}, "signers.mona has a key of dana"),
        ({"dana": [{"key": "ssh-ed25519 AAAA"}]}, "is cut off or damaged"),
    ],
)
def test_keys_that_cannot_be_are_refused_when_the_estate_is_read(
    tmp_path: Path, signers: dict[str, Any], words: str
) -> None:
    write_estate(tmp_path / "estate.yaml", "orders", signers=signers)
    with pytest.raises(EstateError, match=words):
        load_estate(tmp_path / "estate.yaml")
