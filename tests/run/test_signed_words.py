"""Where only signed votes count, only signed attestations, overrides and orders count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import Bench, Handle, serving
from tests.postgres.gone import POLICY, Gone, bring_back, take_away
from tests.run.controlled import ControlBench, controlled
from tests.run.signing_people import FORCED, KEYS, SIGNED, SIGNERS, complaint_of, first_run, signed_vote, signed_word

_WHY: dict[str, Any] = {"reason": "look first"}
_UNSIGNED = "signature: only signed words count here; failover "


@pytest_asyncio.fixture(loop_scope="session")
async def small(temporal: Client, tmp_path: Path) -> AsyncIterator[ControlBench]:
    async with controlled(temporal, tmp_path, approvals=SIGNED, signers=SIGNERS) as bench:
        yield bench


async def _waiting(bench: ControlBench) -> Handle:
    handle = await bench.begin()
    await bench.until_phase(handle, "awaiting approval")
    return handle


async def _approve(bench: Bench, handle: Handle, **changes: Any) -> None:
    await handle.execute_update("decide", signed_vote(handle.id, await bench.status(handle), **changes))


async def test_only_a_signed_hold_holds_and_only_a_signed_release_ends_it(small: ControlBench) -> None:
    handle = await _waiting(small)
    unsigned = {"by": "dana", **_WHY}
    assert f"{_UNSIGNED}hold {small.cluster} --by dana --key FILE" in await complaint_of(handle, "hold", unsigned)
    await handle.signal("held", unsigned)
    await handle.signal("held", await signed_word(handle, "hold", key="mona", **_WHY))
    assert (await small.status(handle)).held == ""
    await handle.signal("held", await signed_word(handle, "hold", **_WHY))
    await _approve(small, handle)
    await small.until_phase(handle, "held")
    assert "only signed words count" in await complaint_of(handle, "release", {"by": "dana"})
    await handle.execute_update("release", await signed_word(handle, "release", by="omar"))
    assert (await small.finished(handle)).outcome == "completed"
    kept = [(one["what"], one["by"], one["key"]) for one in small.report()["control"]]
    assert kept == [
        ("hold", "dana", KEYS["dana"].get_fingerprint()),
        ("release", "omar", KEYS["omar"].get_fingerprint()),
    ]


async def test_a_release_that_somebody_has_kept_ends_no_other_hold(small: ControlBench) -> None:
    handle = await _waiting(small)
    release = await signed_word(handle, "release")
    await handle.execute_update("hold", await signed_word(handle, "hold", **_WHY))
    await handle.execute_update("release", release)
    await handle.execute_update("hold", await signed_word(handle, "hold", by="omar", **_WHY))
    assert "this word has counted already" in await complaint_of(handle, "release", release)
    await handle.signal("released", release)
    assert "held by omar" in (await small.status(handle)).held


async def test_the_same_release_twice_at_once_counts_once(small: ControlBench) -> None:
    handle = await _waiting(small)
    await handle.execute_update("hold", await signed_word(handle, "hold", **_WHY))
    verifying = small.world.faults.order("people.verify", Fault.HANGS)
    release = await signed_word(handle, "release")
    both = [asyncio.create_task(handle.execute_update("release", release)) for _ in range(2)]
    await asyncio.wait_for(verifying.reached.wait(), stretched(20))
    small.world.faults.release()
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in ended) == 1
    assert [one.what.value for one in (await small.status(handle)).control] == ["hold", "release"]


@pytest.mark.parametrize(
    ("order", "changes", "complaint"),
    [
        ({}, {"reason": "another"}, "it is of another text"),
        ({"signed": {"what": "force"}}, {}, "it is of another text"),
        ({"signed": {"of": "other"}}, {}, "it is of another text"),
        ({"signed": {"run": "another"}}, {}, "it is of another text"),
        ({"signed": {"workflow": "postgres/other"}}, {}, "it is of another text"),
        ({"signed": {"by": "omar"}}, {}, "it is of another text"),
        ({"signed": {"expires": datetime.now(UTC) - timedelta(minutes=1)}}, {}, "sign again"),
        ({"key": "omar"}, {}, "is not among this person's"),
        ({"by": "mona"}, {}, "cannot control this run"),
        ({}, {"signature": ""}, "only signed words count here; failover skip"),
        ({}, {"signature": "garbage"}, "it is no SSH signature"),
        ({}, {"expires": None}, "expires: a signature covers it"),
    ],
)
async def test_a_skip_that_is_not_signed_right_is_refused_with_its_reason(
    small: ControlBench, order: dict[str, Any], changes: dict[str, Any], complaint: str
) -> None:
    handle = await _waiting(small)
    hanging = small.world.faults.order("small.move", Fault.HANGS)
    await _approve(small, handle)
    await asyncio.wait_for(hanging.reached.wait(), stretched(20))
    skip = {**await signed_word(handle, "skip", step="wait", **_WHY, **order), **changes}
    assert complaint in await complaint_of(handle, "skip", skip)
    await handle.signal("skipped", skip)
    hanging.released.set()
    assert (await small.finished(handle)).explanation == "moved"
    assert small.parts.done == ["claim", "move", "all"]


async def test_a_signed_skip_is_followed(small: ControlBench) -> None:
    handle = await _waiting(small)
    hanging = small.world.faults.order("small.move", Fault.HANGS)
    await _approve(small, handle)
    await asyncio.wait_for(hanging.reached.wait(), stretched(20))
    await handle.execute_update("skip", await signed_word(handle, "skip", step="wait", **_WHY))
    hanging.released.set()
    assert (await small.finished(handle)).explanation == "moved; wait skipped by dana: look first"


@pytest.mark.parametrize(
    ("order", "proof"),
    [({}, "signed with {}"), ({"key": "omar"}, "unverified"), (None, "unverified")],
    ids=["signed", "with another's key", "unsigned"],
)
async def test_a_cancel_is_always_honoured_and_the_report_says_what_proves_whose_it_is(
    small: ControlBench, order: dict[str, Any] | None, proof: str
) -> None:
    handle = await _waiting(small)
    said = {"by": "dana", "reason": "no"}
    note = said if order is None else await signed_word(handle, "cancel", reason="no", **order)
    await handle.cancel(reason=json.dumps(note))
    assert await small.ending(handle) == "cancelled"
    assert (
        small.report()["reason"]
        == f"cancelled by dana: no ({proof.format(KEYS['dana'].get_fingerprint())}); nothing was changed"
    )


async def test_where_the_policy_is_not_signed_a_signature_that_is_given_must_be_good(
    temporal: Client, tmp_path: Path
) -> None:
    async with controlled(temporal, tmp_path, signers=SIGNERS) as bench:
        looking = bench.world.faults.order("small.look", Fault.HANGS)
        handle = await bench.begin()
        await asyncio.wait_for(looking.reached.wait(), stretched(20))
        bad = await signed_word(handle, "hold", key="mona", **_WHY)
        assert "is not among this person's" in await complaint_of(handle, "hold", bad)
        answer = await handle.execute_update("hold", await signed_word(handle, "hold", **_WHY))
        assert answer["control"][0]["key"] == KEYS["dana"].get_fingerprint()
        await handle.execute_update("release", {"by": "mona"})
        looking.released.set()
        assert (await bench.finished(handle)).outcome == "completed"


@pytest_asyncio.fixture(loop_scope="session")
async def forced(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    policy = {**POLICY, "proof_within": "PT30S"}
    async with serving(temporal, tmp_path, World(), approvals=FORCED, signers=SIGNERS, forced=policy) as bench:
        yield bench


async def test_a_living_primary_is_given_up_only_by_a_signed_word(forced: Bench) -> None:
    before = forced.world.snapshot
    handle = await forced.force()
    await forced.until_phase(handle, "awaiting approval")
    word = {"by": "mona", "member": A}
    unsigned = await complaint_of(handle, "attest", word)
    assert f"{_UNSIGNED}attest {forced.cluster} --member {A} --by mona --key FILE" in unsigned
    await handle.signal("attested", word)
    await _approve(forced, handle)
    status = await forced.status(handle)
    assert (status.phase, status.attested_by, status.waits_for_attestation) == ("awaiting approval", "", A)
    assert forced.world.snapshot == before
    answer = await handle.execute_update("attest", await signed_word(handle, "attest", by="mona", member=A, note="I saw it"))
    assert (answer["attested_by"], answer["attested_key"]) == ("mona", KEYS["mona"].get_fingerprint())
    assert (await forced.finished(handle)).leader == B
    await forced.until_consistent()


async def test_a_signed_vote_carries_the_word_too(forced: Bench) -> None:
    handle = await forced.force()
    await forced.until_phase(handle, "awaiting approval")
    await _approve(forced, handle, signed={"attest": True})
    assert (await forced.finished(handle)).leader == B
    assert (await forced.status(handle)).attested_key == KEYS["dana"].get_fingerprint()
    await forced.until_consistent()


async def test_an_announced_word_that_never_comes_changes_nothing(temporal: Client, tmp_path: Path) -> None:
    approvals = {"forced": {**FORCED["forced"], "window": "PT3S"}}
    async with serving(temporal, tmp_path, World(), approvals=approvals, signers=SIGNERS, forced=POLICY) as bench:
        before = bench.world.snapshot
        handle = await bench.force()
        await bench.until_phase(handle, "awaiting approval")
        await _approve(bench, handle)
        refusal = await bench.refused(handle)
        assert (refusal.type, f"nobody has said so of {A}" in refusal.message) == ("ApprovalExpired", True), refusal
        assert bench.world.snapshot == before


async def test_where_nobody_must_approve_a_policy_of_signed_words_takes_no_typed_one(
    temporal: Client, tmp_path: Path
) -> None:
    approvals = {"forced": {"signed": True}}
    async with serving(temporal, tmp_path, World(), approvals=approvals, signers=SIGNERS, forced=POLICY) as bench:
        before = bench.world.snapshot
        refusal = await bench.refused(await bench.force())
        assert (refusal.type, "only signed words count here" in refusal.message) == ("NoProof", True)
        assert bench.world.snapshot == before


async def test_what_was_said_of_the_node_counts_where_it_is_signed_and_of_the_right_node(forced: Bench) -> None:
    forced.world.node_of[A] = "node-2"
    take_away(forced.world, Gone.CUT_OFF)
    handle = await forced.switch(mode="forced")
    await forced.until_phase(handle, "awaiting approval")
    await _approve(forced, handle)
    await forced.until_phase(handle, "awaiting proof")
    await forced.until(lambda: A not in forced.world.writers)  # cut off, its gate stops it: what is attested is true
    node_2 = {"workflow": "node/node-2", "run": "0193", "of": "node-2"}
    passed_on: dict[str, Any] = {"member": A, "node": "node-2", "run": "0193"}
    good = await signed_word(handle, "attest", signed=node_2, **passed_on)
    unsigned = {key: good[key] for key in ("by", "member", "node")}
    assert "what was said of node node-2 is not signed" in await complaint_of(handle, "attest", unsigned)
    other = {**good, "node": "node-3"}
    assert f"said of node node-3, signed, but {A} is on node node-2" in await complaint_of(handle, "attest", other)
    assert "it is of another text" in await complaint_of(handle, "attest", {**good, "run": await first_run(handle)})
    await handle.signal("attested", unsigned)
    assert (await forced.status(handle)).attested_by == ""
    await handle.signal("attested", good)
    assert (await forced.finished(handle)).leader == B
    bring_back(forced.world)
    await forced.until_consistent()
