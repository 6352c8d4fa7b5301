"""What can happen between the stop of the old primary and the promotion: the stop ends all the same, or is undone soon."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from deploy.lab.processes import start_time
from gate.api import ProblemKind, Role, ServerState
from gate.postgres.processes import children_of
from tests.gate.harness import PASSWORD, Cluster, RefusedError
from tests.postgres_programs import command


@asynccontextmanager
async def _foreign_consumer(pair: Cluster, *more: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Let a pg_receivewal stream from pg-0."""
    client = _begin_receiving(pair, more)
    try:
        await pair.until(lambda: any((pair.folder / "received").iterdir()))
        yield client
    finally:
        client.kill()
        client.wait(10)


def _begin_receiving(pair: Cluster, more: tuple[str, ...]) -> subprocess.Popen[bytes]:
    folder = pair.folder / "received"
    folder.mkdir()
    subprocess.run(["chown", "postgres:", str(folder)], check=True)
    address = f"host={pair.address('pg-0')} port={pair.postgres_port} user=replicator application_name=cdc"
    receive = command("pg_receivewal", "-D", folder, "-d", address, "--no-loop", *more)
    with (pair.folder / "cdc.log").open("wb") as log:
        return subprocess.Popen(receive, env={"PGPASSWORD": PASSWORD}, stdout=log, stderr=log, cwd="/")


@pytest.mark.parametrize("options", [(), ("--slot", "cdc")])
async def test_a_consumer_that_never_confirms_does_not_hold_up_the_stop(pair: Cluster, options: tuple[str, ...]) -> None:
    if options:
        await pair.as_superuser("pg-0", "select pg_create_physical_replication_slot('cdc', true)")
    async with _foreign_consumer(pair, *options) as client:
        client.send_signal(signal.SIGSTOP)
        await pair.sql("pg-0", "create table rows as select generate_series(1, 100000) as n")
        epoch = pair.claim("pg-1")
        began = time.monotonic()
        fenced = await pair.fence("pg-0", epoch, timeout_seconds=20)
        print(f"stopped after {time.monotonic() - began:.2f} s")
        assert pair.said("pg-0", "ends a consumer of WAL that holds up the stop")
        promoted = await pair.promote("pg-1", epoch, fenced.end_lsn)
    pair.route("pg-1")
    assert promoted.timeline == fenced.timeline + 1
    assert await pair.sql("pg-1", "select count(*) from rows") == [(100000,)]


async def test_a_consumer_that_confirms_is_left_to_receive_the_end(pair: Cluster) -> None:
    async with _foreign_consumer(pair) as client:
        await pair.fence("pg-0", pair.claim("pg-1"))
        assert client.wait(20) is not None
    assert not pair.said("pg-0", "ends a consumer of WAL")


@contextmanager
def _frozen(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                continue


def _process(pair: Cluster, member: str, title: str) -> int:
    for pid in children_of(pair.postmaster(member)):
        if title in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace"):
            return pid
    raise AssertionError(f"{member} has no {title}")


async def _kind(refused: object) -> ProblemKind:
    with pytest.raises(RefusedError) as caught:
        await refused  # type: ignore[misc]
    return caught.value.problem.kind


async def test_a_stop_that_hangs_is_undone_by_force(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table rows as select generate_series(1, 1000) as n")
    epoch = pair.claim("pg-1")
    with _frozen(_process(pair, "pg-1", "walreceiver")):
        assert await _kind(pair.fence("pg-0", epoch, timeout_seconds=1)) is ProblemKind.NOT_SERVING
        status = await pair.status("pg-0")
        assert status is not None
        assert status.server is ServerState.STOPPING
        sealed = await pair.seal("pg-1", epoch + 1, stop_unfinished=True)
        pair.api.write(epoch=epoch + 1, intent=None)
        began = time.monotonic()
        status = await pair.unfence("pg-0", epoch + 1)
        print(f"serves again after {time.monotonic() - began:.2f} s")
    assert not sealed.promoted
    assert (status.role, status.fenced_at_epoch) == (Role.PRIMARY, None)
    assert await pair.sql("pg-0", "select count(*) from rows") == [(1000,)]
    await pair.until_synchronous("pg-1")


async def test_a_member_that_is_not_waited_for_does_not_hold_up_the_stop(pair: Cluster) -> None:
    with _frozen(_process(pair, "pg-1", "walreceiver")):
        fenced = await pair.fence("pg-0", pair.claim("pg-1"), wait_for=["pg-2"], timeout_seconds=20)
    assert fenced.clean


async def test_a_candidate_whose_replay_is_held_is_found_before_its_promotion_is_accepted(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    await pair.as_superuser("pg-1", "select pg_wal_replay_pause()")
    fenced = await pair.fence("pg-0", epoch)
    with pytest.raises(RefusedError, match="its replay of WAL is paused") as refused:
        await pair.prepare("pg-1", epoch, fenced.end_lsn)
    assert refused.value.problem.kind is ProblemKind.LSN_NOT_REACHED
    sealed = await pair.seal("pg-1", epoch + 1)
    assert not sealed.promoted
    pair.api.write(epoch=epoch + 1, intent=None)
    assert (await pair.unfence("pg-0", epoch + 1)).role is Role.PRIMARY


async def test_what_is_prepared_is_promoted_and_prepared_again_alike(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    first = await pair.prepare("pg-1", epoch, fenced.end_lsn)
    second = await pair.prepare("pg-1", epoch, fenced.end_lsn)
    assert first.promoted_at_epoch == second.promoted_at_epoch != epoch
    await pair.promote("pg-1", epoch, fenced.end_lsn, replayed=True)
    assert (await pair.prepare("pg-1", epoch, fenced.end_lsn)).promoted_at_epoch == epoch


async def test_a_promotion_that_does_not_come_to_its_end_can_be_taken_back(pair: Cluster) -> None:
    await pair.sql("pg-0", "create table rows as select generate_series(1, 1000) as n")
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.prepare("pg-1", epoch, fenced.end_lsn)
    with _frozen(_process(pair, "pg-1", "startup")):
        hung = pair.promote("pg-1", epoch, fenced.end_lsn, within_seconds=1)
        assert await _kind(hung) is ProblemKind.NOT_SERVING
        assert (await pair.seal("pg-1", epoch + 1)).promoted, "it may still come to its end"
        sealed = await pair.seal("pg-1", epoch + 1, stop_unfinished=True)
    assert not sealed.promoted
    pair.api.write(epoch=epoch + 1, intent=None)
    assert (await pair.unfence("pg-0", epoch + 1)).role is Role.PRIMARY
    assert await pair.sql("pg-0", "select count(*) from rows") == [(1000,)]
    await pair.until_synchronous("pg-1")
    assert (await pair.until_role("pg-1", Role.STANDBY)).timeline == fenced.timeline


async def test_a_promotion_that_has_come_to_its_end_stays(pair: Cluster) -> None:
    epoch = pair.claim("pg-1")
    fenced = await pair.fence("pg-0", epoch)
    await pair.promote("pg-1", epoch, fenced.end_lsn)
    assert (await pair.seal("pg-1", epoch + 1, stop_unfinished=True)).promoted
    assert (await pair.until_role("pg-1", Role.PRIMARY)).timeline == fenced.timeline + 1


async def test_a_server_that_freezes_while_it_stops_does_not_outlive_its_gate(pair: Cluster) -> None:
    """Its watchdog may hold it at any moment, and is gone with the gate: nobody would let it go on."""
    server, receiver = pair.postmaster("pg-0"), pair.postmaster("pg-1")
    with _frozen(receiver, *children_of(receiver)):  # the stop waits for what it will not confirm
        pair.gates["pg-0"].send_signal(signal.SIGTERM)
        await pair.until(lambda: pair.said("pg-0", "asked to end: stops the server"))
        await asyncio.sleep(0.5)
        os.kill(server, signal.SIGSTOP)
        began = time.monotonic()
        pair.kill("pg-0", signal.SIGTERM)
    assert time.monotonic() - began < 10
    assert start_time(server) is None
