"""The primary is gone: confirmed from several places, proved to be stopped, and only then is another one promoted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowUpdateFailedError

from gate.api import Role, ServerState
from gate.postgres.lsn import format_lsn
from tests.fakes.faults import Fault
from tests.fakes.member import RECORD_BYTES
from tests.fakes.world import A, B, C, World
from tests.postgres.bench import Bench, Handle, serving

ALL_KINDS = {"proof": ["gate", "isolation", "attested"], "isolation_timeout": "PT1S", "redundancy_within": "PT0.3S"}
NO_ISOLATION = {**ALL_KINDS, "proof": ["gate", "attested"], "proof_within": "PT2S"}


@pytest_asyncio.fixture
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    async with serving(temporal, tmp_path, World(), forced=NO_ISOLATION) as one:
        yield one


def _pod_dies(world: World) -> None:
    world.members[A].die()


def _cut_off(world: World) -> None:
    world.members[A].reachable = False


def _node_off(world: World) -> None:
    world.members[A].die()
    world.members[A].reachable = False


def _frozen(world: World) -> None:
    world.members[A].frozen = True


def _server_frozen(world: World) -> None:
    world.members[A].server_frozen = True


async def _force(bench: Bench, **more: Any) -> Handle:
    return await bench.switch(mode="forced", **more)


@pytest.mark.parametrize(
    ("harm", "condition"),
    [(_pod_dies, "is gone"), (_node_off, "cannot be reached"), (_frozen, "frozen"), (_server_frozen, "frozen")],
)
async def test_an_attested_primary_is_replaced(bench: Bench, harm: Callable[[World], None], condition: str) -> None:
    harm(bench.world)
    handle = await _force(bench, attest=True)
    result = await bench.finished(handle)
    plan = (await bench.status(handle)).plan
    assert (result.outcome, result.leader, bench.world.record.leader) == ("completed", B, B)
    assert plan is not None
    assert plan.diagnosis is not None
    assert condition in plan.diagnosis.reason
    assert (plan.lossless, len(plan.diagnosis.evidence)) == (True, 4)
    await _heal(bench)


async def test_a_frozen_server_is_proved_to_be_stopped_by_its_gate(bench: Bench) -> None:
    _server_frozen(bench.world)
    result = await bench.finished(await _force(bench))
    assert (result.leader, f"fence {A}" in bench.world.changed) == (B, True)
    await _heal(bench)


async def test_a_standby_whose_connection_slots_are_full_leads_and_is_verified_once_one_is_free(bench: Bench) -> None:
    bench.world.members[B].full = True
    _pod_dies(bench.world)
    handle = await _force(bench, attest=True)
    await bench.until_phase(handle, "verifying")
    plan = await bench.plan(handle)
    assert plan.candidates[0].reason.endswith("it has no connection slot free for the worker")
    calls = bench.world.faults.calls
    await bench.until(lambda: calls.count("postgres.verify_write") > 3)
    assert bench.world.record.leader == B
    bench.world.members[B].full = False
    assert (await bench.finished(handle)).outcome == "completed"
    await _heal(bench)


@pytest.mark.parametrize("harm", [_cut_off, _frozen])
async def test_isolation_is_proof_when_the_policy_accepts_it(
    temporal: Client, tmp_path: Path, harm: Callable[[World], None]
) -> None:
    async with serving(temporal, tmp_path, World(), forced=ALL_KINDS) as bench:
        harm(bench.world)
        began = asyncio.get_running_loop().time()
        result = await bench.finished(await _force(bench))
        assert result.leader == B
        assert asyncio.get_running_loop().time() - began > 1.5
        if harm is _cut_off:
            assert bench.world.members[A].server is ServerState.STOPPED
        await _heal(bench)


async def test_without_proof_it_is_undone_and_the_old_primary_leads_when_it_returns(bench: Bench) -> None:
    _cut_off(bench.world)
    refusal = await bench.refused(await _force(bench))
    assert (refusal.type, "failover attest" in refusal.message) == ("RolledBack", True)
    assert (bench.world.record.leader, bench.world.record.intent, bench.world.members[B].role) == (A, None, Role.STANDBY)
    bench.world.members[A].reachable = True
    await bench.until_consistent()
    assert bench.world.writers == [A]


async def test_a_word_that_comes_while_it_waits_is_taken_up(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World(), forced={**NO_ISOLATION, "proof_within": "PT30S"}) as bench:
        _pod_dies(bench.world)
        handle = await _force(bench)
        status = await bench.until_phase(handle, "awaiting proof")
        assert status.waits_for_attestation == A
        await handle.execute_update("attest", {"by": "mona", "member": A})
        assert (await bench.finished(handle)).leader == B
        assert (await bench.status(handle)).attested_by == "mona"
        await _heal(bench)


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ({"by": "mona", "member": B}, "is not the old primary"),
        ({"by": "stranger", "member": A}, "cannot attest"),
        ({"by": "mona"}, "member: missing"),
        ({"by": "mona", "member": A, "sure": True}, "sure: unknown key"),
    ],
)
async def test_a_word_that_does_not_count_is_answered(bench: Bench, word: dict[str, Any], complaint: str) -> None:
    _pod_dies(bench.world)
    handle = await _force(bench)
    await bench.until_phase(handle, "awaiting proof")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update("attest", word)
    assert complaint in str(refused.value.cause)
    await handle.signal("attested", word)
    assert (await bench.refused(handle)).type == "RolledBack"
    await _heal(bench)


async def test_where_nobodys_word_is_accepted_it_neither_starts_nor_proves_anything(
    temporal: Client, tmp_path: Path
) -> None:
    accepted = {**NO_ISOLATION, "proof": ["gate", "isolation"], "isolation_timeout": "PT30S"}
    async with serving(temporal, tmp_path, World(), forced=accepted) as bench:
        before = bench.world.snapshot
        refusal = await bench.refused(await _force(bench, attest=True))
        assert (refusal.type, "accepts no attestation (forced.proof is gate, isolation)" in refusal.message) == (
            "BadInput",
            True,
        )
        assert bench.world.snapshot == before
        _pod_dies(bench.world)
        handle = await _force(bench)
        status = await bench.until_phase(handle, "awaiting proof")
        assert status.waits_for_attestation == ""
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update("attest", {"by": "mona", "member": A})
        assert "accepts no attestation" in str(refused.value.cause)
        await handle.cancel()
        assert await bench.ending(handle) == "cancelled"
        await _heal(bench)


async def test_a_primary_that_lives_is_not_replaced_unless_somebody_says_so(bench: Bench) -> None:
    before = bench.world.snapshot
    refusal = await bench.refused(await _force(bench))
    assert (refusal.type, "answers SQL" in refusal.message) == ("PrimaryAlive", True)
    assert bench.world.snapshot == before
    assert (await bench.finished(await _force(bench, attest=True))).leader == B
    await bench.until_consistent()


async def test_a_primary_that_only_we_cannot_reach_is_not_dead(bench: Bench) -> None:
    bench.world.faults.order("postgres.facts", Fault.SILENT)
    before = bench.world.snapshot
    assert (await bench.refused(await _force(bench))).type in {"PrimaryAlive", "Unreachable"}
    assert bench.world.snapshot == before


async def test_a_plan_says_what_has_become_of_the_primary_and_changes_nothing(bench: Bench) -> None:
    _pod_dies(bench.world)
    bench.world.untouchable = True
    handle = await _force(bench, run="plan")
    assert (await bench.finished(handle)).outcome == "dry run"
    plan = (await bench.status(handle)).plan
    assert plan is not None
    assert "somebody must say" in plan.attestation
    assert plan.loss.startswith("none")


@pytest.mark.parametrize("seconds", [None, 11.0])
async def test_an_asynchronous_candidate_with_a_lag_that_is_too_large_or_unknown_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    _pod_dies(bench.world)
    bench.world.write(sync="none")
    status = type(bench.world.members[B]).status
    late = {"lag_seconds": seconds, "lag_bytes": None if seconds is None else 4096}
    monkeypatch.setattr("tests.fakes.member.Member.status", lambda self, world: status(self, world).model_copy(update=late))
    refusal = await bench.refused(await _force(bench, attest=True))
    assert refusal.type == ("LagUnknown" if seconds is None else "LagTooLarge")
    bench.world.members[A].alive = True


async def test_the_most_advanced_of_two_standbys_leads_and_the_other_follows(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A, B, C)), forced=ALL_KINDS) as bench:
        bench.world.members[C].position += RECORD_BYTES
        _pod_dies(bench.world)
        handle = await _force(bench, attest=True)
        assert (await bench.finished(handle)).leader == C
        assert bench.world.members[B].following == C
        await _heal(bench)


async def test_a_candidate_that_another_standby_has_overtaken_is_not_promoted(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, World((A, B, C)), forced=ALL_KINDS) as bench:
        _pod_dies(bench.world)
        hanging = bench.world.faults.order("postgres.claim", Fault.HANGS)
        handle = await _force(bench, attest=True)
        await hanging.reached.wait()
        bench.world.members[C].position += RECORD_BYTES
        hanging.released.set()
        refusal = await bench.refused(handle)
        assert (refusal.type, format_lsn(bench.world.members[C].position) in refusal.message) == ("RolledBack", True)
        assert (await bench.finished(await _force(bench, attest=True))).leader == C
        await _heal(bench)


async def test_a_synchronous_member_that_cannot_be_seen_may_have_what_nobody_else_has(
    temporal: Client, tmp_path: Path
) -> None:
    async with serving(temporal, tmp_path, World((A, B, C)), forced=ALL_KINDS) as bench:
        bench.world.members[C].die()
        _pod_dies(bench.world)
        handle = await _force(bench, run="plan")
        await bench.finished(handle)
        plan = (await bench.status(handle)).plan
        assert plan is not None
        assert (plan.lossless, C in plan.loss) == (False, True)


async def test_a_frozen_primary_that_thaws_at_the_worst_moment_writes_nothing(bench: Bench) -> None:
    _frozen(bench.world)
    hanging = bench.world.faults.order("postgres.route", Fault.HANGS)
    handle = await _force(bench, attest=True)
    await hanging.reached.wait()
    bench.world.thaw(bench.world.members[A])
    await asyncio.sleep(0.1)
    assert bench.world.writers == [B]
    hanging.released.set()
    assert (await bench.finished(handle)).leader == B
    await bench.until_consistent()


async def _heal(bench: Bench) -> None:
    """Bring the old primary back, in whatever way it was gone; its gate does the rest."""
    old = bench.world.members[A]
    old.alive = old.reachable = True
    if old.frozen:
        bench.world.thaw(old)
    await bench.until_consistent()
