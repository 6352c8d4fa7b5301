"""Forced failovers on the real platform: each way in which a primary can be gone, once. Never two writers, nothing lost."""

from __future__ import annotations

import asyncio
import time

import pytest
import pytest_asyncio

from activities.postgres.models.details import PostgresDetails
from activities.run.errors import Refusal
from activities.run.models.report import Outcome
from deploy.lab.breaking import heal
from deploy.lab.estate import changed_estate, isolation_is_proof
from deploy.lab.network import set_link
from deploy.lab.node import start_node
from deploy.lab.patience import stretched
from deploy.lab.switching import approve, ending, start
from starters.history.model import Facts
from tests.lab.histories import completed
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_ISOLATION_SECONDS = 30


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def _look(platform: Platform) -> None:
    await platform.fresh_pods()
    platform.look()


def _must_lead(platform: Platform, facts: Facts) -> None:
    assert facts.outcome is Outcome.COMPLETED, facts.reason
    assert platform.leader == platform.candidate
    assert facts.known.plan is not None
    assert facts.known.plan.lossless


async def test_a_primary_that_lives_is_left_alone(platform: Platform) -> None:
    handle = await start(platform.client, mode="forced")
    facts = await ending(handle)
    assert (facts.outcome, facts.refusal) == (Outcome.REFUSED, Refusal.PRIMARY_ALIVE)
    assert platform.leader == platform.old


async def test_a_frozen_server_is_proved_to_be_stopped_by_its_own_gate(platform: Platform) -> None:
    await asyncio.to_thread(platform.freeze_server, platform.old)
    handle = await start(platform.client, mode="forced")
    await approve(handle, within=60)
    facts = await ending(handle)
    _must_lead(platform, facts)
    details = facts.known.of(PostgresDetails)
    assert details.proof is not None
    assert details.proof.kind == "gate"
    platform.settle()


@pytest.mark.matrix
async def test_a_killed_container(platform: Platform) -> None:
    platform.break_it("container", platform.old)
    _must_lead(platform, await platform.force())
    platform.settle()


async def test_a_deleted_pod_is_replaced_by_the_standby_and_comes_back_as_one(platform: Platform) -> None:
    platform.break_it("pod", platform.old)
    _must_lead(platform, await platform.force())
    platform.settle()
    assert platform.note("sync") == platform.old


@pytest.mark.matrix  # test_nodes.py has one with everything else on it
async def test_a_node_without_power(platform: Platform) -> None:
    node = platform.nodes[platform.old]
    handle = await start(platform.client, mode="forced", attest=True) if platform.break_it("node", node) else None
    assert handle is not None
    await approve(handle, attest=True, within=60)
    await completed(handle, "postgres.verify")
    await asyncio.to_thread(heal, platform.lab)
    _must_lead(platform, await ending(handle))
    platform.settle(200)


async def test_a_primary_that_is_frozen_and_thaws_after_the_promotion_takes_no_write(platform: Platform) -> None:
    frozen = time.time()
    frozen = time.time()
    platform.freeze(platform.old)
    try:
        handle = await start(platform.client, mode="forced", attest=True)
        await approve(handle, attest=True, within=60)
        await completed(handle, "postgres.promote")
    finally:
        platform.thaw(platform.old)
    facts = await ending(handle)
    _must_lead(platform, facts)
    assert facts.known.plan is not None
    assert facts.known.plan.diagnosis is not None
    assert facts.known.plan.diagnosis.condition == "frozen"
    platform.until_said(platform.old, "WAS FROZEN", frozen)
    platform.settle()


async def test_a_cut_off_primary_has_stopped_itself_before_another_one_is_promoted(platform: Platform) -> None:
    """Nobody attests; the estate accepts isolation."""
    node = platform.nodes[platform.old]
    with changed_estate(platform.lab, platform.binaries, isolation_is_proof):
        try:
            set_link(platform.lab, node, up=False)
            cut = time.time()
            handle = await start(platform.client, mode="forced")
            await approve(handle, within=60)
            await completed(handle, "postgres.verify")
            print(f"verified {time.time() - cut:.2f} s after the cut")
        finally:
            set_link(platform.lab, node, up=True)
    facts = await ending(handle)
    _must_lead(platform, facts)
    platform.settle(200)
    details = facts.known.of(PostgresDetails)
    assert details.proof is not None
    assert details.proof.kind == "isolation"
    assert details.promoted is not None
    promoted = details.promoted.promoted_at.timestamp()
    assert platform.until_said(platform.old, "ISOLATED", cut) < promoted
    assert promoted - cut > _ISOLATION_SECONDS


@pytest.mark.matrix  # test_nodes.py waits for a word, too
async def test_without_a_word_or_isolation_it_waits_and_a_word_ends_the_wait(platform: Platform) -> None:
    node = platform.nodes[platform.old]
    platform.break_it("node", node)
    handle = await start(platform.client, mode="forced")
    await approve(handle, within=60)
    async with asyncio.timeout(stretched(60)):
        while not (status := await handle.query("status"))["waits_for_attestation"]:
            await asyncio.sleep(0.2)
    assert status["waits_for_attestation"] == platform.old
    await handle.execute_update("attest", {"by": "dana", "member": platform.old, "note": "power is off"})
    await completed(handle, "postgres.verify")
    start_node(platform.lab, node, platform.binaries)
    facts = await ending(handle)
    _must_lead(platform, facts)
    assert facts.known.attested_by == "dana"
    await asyncio.to_thread(heal, platform.lab)
    platform.settle(200)
