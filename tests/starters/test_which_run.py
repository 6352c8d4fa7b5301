"""A vote goes to the run that was looked at, also where another one has begun meanwhile."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from starters.client import server
from starters.client.answers import CommandError, Exit, Output
from starters.client.targets import Place
from starters.commands import decide
from starters.history.parse import Chronicle
from tests.starters.conftest import Stage


async def test_a_vote_does_not_reach_a_run_that_has_begun_since(asking: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = asking.bench
    monkeypatch.setenv("FAILOVER_TASK_QUEUE", bench.queue)

    async def client() -> Client:
        return bench.client

    async def looked_at(client: Client, place: Place) -> Chronicle:
        """Return the run that waits; right after, it ends and another one begins."""
        chronicle = await server.read_run(client, place)
        await first.cancel()
        assert await bench.ending(first) == "cancelled"
        await bench.until_phase(await bench.switch(), "awaiting approval")
        return chronicle

    monkeypatch.setattr(decide, "connect", client)
    monkeypatch.setattr(decide, "must_be_open", looked_at)
    first = await bench.switch()
    await bench.until_phase(first, "awaiting approval")
    ballot = decide.Ballot(asking.cluster, approve=True, by="dana", plan=await asking.digest(), role="", note="")
    with pytest.raises(CommandError) as refused:
        await decide.decide(ballot, Output.JSON)
    assert refused.value.code is Exit.REFUSED
    assert f"{asking.cluster} has ended at " in str(refused.value)
    assert "cancelled" in str(refused.value)
