"""Forged votes: a real run refuses each kind with its reason; ten thousand random ones are refused, none sticks a run."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.clients.signatures import judge
from activities.run.inventory import Inventory
from activities.run.models.plan import Plan
from activities.run.people import PeopleActivities, SignatureRequest
from estate.base import ApprovalPolicy
from gate.record import Mode
from tests.fakes.world import World
from tests.postgres.bench import Bench, Handle, serving, write_estate
from tests.run.forging import FORGERIES, PEOPLE, POLICY, SIGNERS, Forger, Run, vote
from tests.run.signing_people import complaint_of
from workflows.run.approval import ApprovalGate
from workflows.run.inputs import said
from workflows.run.models import Decision
from workflows.run.signatures import vote_of

_MANY, _SHARE = 10_000, 100


@pytest_asyncio.fixture(name="waiting", scope="module", loop_scope="session")
async def _waiting(temporal: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Bench, Handle, Run]]:
    """Let one run wait for a signed vote while everybody forges."""
    folder = tmp_path_factory.mktemp("forged")
    async with serving(temporal, folder, World(), approvals=POLICY, signers=SIGNERS, people=PEOPLE) as bench:
        handle = await bench.switch()
        status = await bench.until_phase(handle, "awaiting approval")
        assert status.plan is not None
        assert status.approval is not None
        yield bench, handle, Run(handle.id, status.approval.run, status.plan.digest)
        await handle.execute_update("decide", vote(Run(handle.id, status.approval.run, status.plan.digest)))
        assert (await bench.finished(handle)).outcome == "completed"


async def _nobody_has_voted(bench: Bench, handle: Handle) -> bool:
    status = await bench.status(handle)
    assert status.approval is not None
    return (status.phase, status.approval.votes) == ("awaiting approval", ())


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_each_kind_is_refused_with_its_reason(waiting: tuple[Bench, Handle, Run], forgery: str) -> None:
    bench, handle, run = waiting
    make, why = FORGERIES[forgery]
    forged = make(run)
    assert why in await complaint_of(handle, "decide", forged)
    await handle.signal("vote", forged)
    assert await _nobody_has_voted(bench, handle)


async def test_a_hundred_random_ones_at_a_real_run(waiting: tuple[Bench, Handle, Run]) -> None:
    bench, handle, run = waiting
    forger = Forger(vote(run), seed=1)
    forged = [forger.forged() for _ in range(_SHARE)]
    for some in range(0, _SHARE, 10):
        await asyncio.gather(*(handle.signal("vote", one) for one in forged[some : some + 5]))
        await asyncio.gather(*(complaint_of(handle, "decide", one) for one in forged[some + 5 : some + 10]))
    assert await _nobody_has_voted(bench, handle)


def _kind_of(why: str) -> str:
    return why.partition(": it does not count: ")[2][:15] or why.partition(":")[0]


async def test_ten_thousand_random_ones_by_what_judges_them(tmp_path: Path) -> None:
    """Read a vote, count it, and judge its signature as a run does, without a server between."""
    write_estate(tmp_path / "estate.yaml", "orders", approvals=POLICY, signers=SIGNERS, people=PEOPLE)
    people = PeopleActivities(Inventory(tmp_path / "estate.yaml"), judge)
    plan, now = Plan(cluster="orders", mode=Mode.PLANNED, candidate="b").sealed(), datetime.now(UTC)
    run = Run("postgres/orders", uuid4().hex, plan.digest)
    holders = {name: tuple(roles) for name, roles in PEOPLE.items()}
    gate = ApprovalGate(ApprovalPolicy.model_validate(POLICY["planned"]), holders, "omar", run.run)
    gate.open(plan, now)

    async def why_not(one: dict[str, Any]) -> str:
        try:
            decision = said(Decision, (one,))
            gate.check(decision, now)
            text = vote_of(decision, run.workflow, run.run)
        except ValueError as complaint:
            return str(complaint)
        return (await people.verify(SignatureRequest(said=text, signature=decision.signature))).why

    good = vote(run)
    forger, kinds = Forger(good, seed=5), Counter[str]()
    for _ in range(_MANY):
        forged = forger.forged()
        why = await why_not(forged)
        assert why, [(key, forged.get(key), good[key]) for key in good if forged.get(key) != good[key]]
        kinds[_kind_of(why)] += 1
    print(f"{_MANY} refused: {dict(kinds.most_common())}")
    assert await why_not(good) == ""
