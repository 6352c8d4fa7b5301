"""``failover approve --key``: a key in a file, one in an agent, and what is printed to be pasted into the UI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from tests.fakes.world import A, World
from tests.postgres.bench import serving
from tests.postgres.gone import POLICY
from tests.run.signing_people import FORCED, KEYS, SIGNED, SIGNERS
from tests.starters.conftest import Stage, command_for


@pytest_asyncio.fixture(name="signing", loop_scope="session")
async def _signing(temporal: Client, tmp_path: Path) -> AsyncIterator[Stage]:
    async with serving(temporal, tmp_path, World(), approvals=SIGNED, signers=SIGNERS) as bench:
        yield Stage(bench, command_for(temporal, bench.queue))


@pytest.fixture(name="key")
def _key(tmp_path: Path) -> Path:
    """Write the private key of ``dana``, and its public half beside it."""
    key = tmp_path / "id"
    KEYS["dana"].write_private_key(key)
    KEYS["dana"].write_public_key(f"{key}.pub")
    key.chmod(0o600)
    return key


@pytest.fixture(name="agent")
def _agent(key: Path, tmp_path: Path) -> Iterator[str]:
    """Run an agent that alone has the private key; return its socket."""
    socket = str(tmp_path / "agent")
    told = subprocess.run(["ssh-agent", "-s", "-a", socket], capture_output=True, text=True, check=True).stdout
    pid = int(told.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    try:
        subprocess.run(["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        key.unlink()
        yield socket
    finally:
        os.kill(pid, signal.SIGTERM)


async def _vote(signing: Stage) -> tuple[str, ...]:
    await signing.waits_for_approval()
    return "approve", signing.cluster, "--by", "dana", "--plan", await signing.digest()


async def test_a_vote_is_signed_and_the_report_names_the_key(signing: Stage, key: Path) -> None:
    vote = await _vote(signing)
    unsigned = await signing.failover(*vote)
    assert (unsigned.code, "only signed votes count" in unsigned.err) == (3, True), unsigned
    approved = await signing.failover(*vote, "--key", str(key))
    assert approved.code == 0, approved
    await signing.failover("follow", signing.cluster)
    report = await signing.failover("report", signing.cluster)
    assert f"signed with {KEYS['dana'].get_fingerprint()}" in " ".join(report.out.split())


async def test_an_agent_signs_for_a_public_key(signing: Stage, key: Path, agent: str) -> None:
    vote = await _vote(signing)
    approved = await signing.failover(*vote, FAILOVER_KEY=f"{key}.pub", SSH_AUTH_SOCK=agent)
    assert approved.code == 0, approved


async def test_what_is_printed_counts_when_it_is_pasted_into_the_ui(signing: Stage, key: Path) -> None:
    vote = await _vote(signing)
    printed = await signing.failover(*vote, "--key", str(key), "--print")
    assert printed.code == 0, printed
    status = await signing.failover("status", signing.cluster)
    assert status.code == 4, "nothing was sent"
    handle = signing.bench.client.get_workflow_handle(f"postgres/{signing.cluster}")
    await handle.execute_update("decide", json.loads(printed.out))
    assert (await signing.bench.finished(handle)).outcome == "completed"


@pytest.mark.parametrize("text", ["", "no key"])
async def test_a_key_that_signs_nothing_is_said(signing: Stage, tmp_path: Path, text: str) -> None:
    vote, file = await _vote(signing), tmp_path / "file"
    missing = await signing.failover(*vote, "--key", str(file))
    assert (missing.code, "is no file" in missing.err) == (2, True), missing
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    bad = await signing.failover(*vote, "--key", str(file))
    assert (bad.code, "has not signed" in bad.err) == (1, True), bad


async def test_orders_and_cancels_are_signed_too(signing: Stage, key: Path) -> None:
    vote, by = await _vote(signing), ("--by", "dana", "--reason", "look first")
    unsigned = await signing.failover("hold", signing.cluster, *by)
    assert (unsigned.code, "failover hold" in unsigned.err and "--by dana --key FILE" in unsigned.err) == (3, True), unsigned
    held = await signing.failover("hold", signing.cluster, *by, "--key", str(key))
    assert held.code == 0, held
    await signing.failover(*vote, "--key", str(key))
    printed = await signing.failover("release", signing.cluster, "--by", "dana", "--key", str(key), "--print")
    handle = signing.bench.client.get_workflow_handle(signing.bench.lock)
    await signing.bench.until_phase(handle, "held")
    await handle.execute_update("release", json.loads(printed.out))
    assert (await signing.bench.finished(handle)).outcome == "completed"
    report = " ".join((await signing.failover("report", signing.cluster)).out.split())
    assert report.count(f"signed with {KEYS['dana'].get_fingerprint()}") == 3


async def test_a_signed_cancel_names_its_key(signing: Stage, key: Path) -> None:
    await _vote(signing)
    cancelled = await signing.failover("cancel", signing.cluster, "--by", "dana", FAILOVER_KEY=str(key))
    assert cancelled.code == 0, cancelled
    proof = f"cancelled by dana (signed with {KEYS['dana'].get_fingerprint()}); nothing was changed"
    assert proof in " ".join(cancelled.out.split())


async def test_an_attestation_is_signed_too(temporal: Client, tmp_path: Path, key: Path) -> None:
    async with serving(temporal, tmp_path, World(), approvals=FORCED, signers=SIGNERS, forced=POLICY) as bench:
        failover = command_for(temporal, bench.queue)
        handle = await bench.force()
        await bench.until_phase(handle, "awaiting approval")
        word = ("attest", bench.cluster, "--member", A, "--by", "dana")
        unsigned, signed = await failover(*word), await failover(*word, "--key", str(key), "--note", "seen")
        assert (unsigned.code, "only signed words count here" in unsigned.err, signed.code) == (3, True, 0), signed
        status = (await failover("status", bench.cluster, "-o", "json")).document["status"]
        assert status["attested_key"] == KEYS["dana"].get_fingerprint()
