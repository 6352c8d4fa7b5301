"""Where only signed votes count, a drain is forced and a node is given up by signed words only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
import yaml
from temporalio.client import Client

from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import exists
from tests.postgres.bench import Handle
from tests.postgres.gone import POLICY, Gone, bring_back
from tests.run.signing_people import FORCED, KEYS, SIGNED, SIGNERS, complaint_of, signed_vote, signed_word

_BLOCKED = "blocked by a disruption budget"


@pytest_asyncio.fixture(name="bench", loop_scope="session")
async def _bench(temporal: Client, tmp_path: Path) -> AsyncIterator[NodeBench]:
    """Let only signed votes of a DBA count; a busy machine has time to prove."""
    async with serving(temporal, tmp_path, {**POLICY, "proof_within": "PT60S"}) as bench:
        _count_signed_only(bench)
        yield bench


def _count_signed_only(bench: NodeBench) -> None:
    """Let a DBA approve by signed votes only, of the node and of the database."""
    content = yaml.safe_load(bench.estate.read_text(encoding="utf-8"))
    content["signers"] = SIGNERS
    for entry in (content["node_pools"]["workers"], content["postgres"][bench.cluster]):
        entry["approvals"] = {**SIGNED, **FORCED}
    bench.estate.write_text(yaml.safe_dump(content), encoding="utf-8")


async def _approved(bench: NodeBench, handle: Handle) -> None:
    await exists(handle)
    status = await bench.until_phase(handle, "awaiting approval")
    await handle.execute_update("decide", signed_vote(handle.id, status))


async def test_only_a_signed_override_deletes_what_a_budget_protects(bench: NodeBench) -> None:
    bench.world.budgets["api-a-1"] = "none may be missing"
    handle = await bench.start()
    await _approved(bench, handle)
    await bench.until_phase(handle, _BLOCKED)
    word = {"by": "dana", "node": bench.node}
    assert f"failover override-budget {bench.node} --by dana --key" in await complaint_of(handle, "insist", word)
    good = await signed_word(handle, "override-budget", node=bench.node, note="agreed")
    assert "it is of another text" in await complaint_of(handle, "insist", {**good, "note": "another"})
    held = await signed_word(handle, "hold", node=bench.node, note="agreed")
    assert "it is of another text" in await complaint_of(handle, "insist", held)
    assert (bench.world.deleted, (await bench.status(handle)).phase) == ([], _BLOCKED)
    await handle.execute_update("insist", good)
    assert (await bench.ending(handle))[0] == "completed"
    report = bench.report()
    assert (bench.world.deleted, report.insisted_key) == (["api-a-1"], KEYS["dana"].get_fingerprint())


async def test_a_word_that_the_request_has_announced_is_signed_once_for_node_and_database(bench: NodeBench) -> None:
    bench.lose_primary(Gone.DEAD)
    handle, child = await bench.start(mode="forced", attest=True), bench.of_postgres()
    await _approved(bench, handle)
    status = await bench.status(handle)
    assert (status.phase, status.waits_for_attestation) == ("awaiting approval", bench.node)
    await handle.execute_update("attest", await signed_word(handle, "attest", by="omar", member=bench.node))
    await _approved(bench, child)
    end, words = await bench.ending(handle)
    assert end == "completed", words
    assert (await bench.status(child)).attested_key == KEYS["omar"].get_fingerprint()
    bring_back(bench.postgres)


async def test_one_signed_word_about_the_node_counts_for_the_database_on_it(bench: NodeBench) -> None:
    bench.lose_primary(Gone.DEAD)
    handle, child = await bench.start(mode="forced"), bench.of_postgres()
    await _approved(bench, handle)
    await _approved(bench, child)
    await bench.until_phase(child, "awaiting proof")
    await child.signal("attested", {"by": "dana", "member": bench.postgres.record.leader, "node": bench.node})
    await handle.signal("attested", {"by": "dana", "member": bench.node})
    assert ((await bench.status(handle)).attested_by, (await bench.status(child)).attested_by) == ("", "")
    await handle.execute_update("attest", await signed_word(handle, "attest", by="mona", member=bench.node, note="off"))
    end, words = await bench.ending(handle)
    assert end == "completed", words
    status = await bench.status(child)
    assert (status.attested_by, status.attested_key) == ("mona", KEYS["mona"].get_fingerprint())
    bring_back(bench.postgres)
