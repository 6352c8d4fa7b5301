"""A standby whose machine loses power stays connected: TCP does not notice. Commits wait two seconds for it, not ten."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio

from deploy.lab.patience import stretched
from gate.api import Follower
from gate.lease.kube import ApiServer
from gate.lease.peers import Peers
from gate.loop import silent_standbys
from gate.loop.silent_standbys import SilentStandbys
from tests.gate.harness import Cluster, running_cluster
from tests.gate.parts import settings
from tests.postgres.samples import B, C

_BUSY_MACHINE_SECONDS = 4.0
"""On top, for a machine with a load of 10; PostgreSQL alone waits 10 s."""


class _Standby:
    """One standby as the primary sees it, and its gate."""

    def __init__(self) -> None:
        self.sent, self.flushed, self.gate_answers, self.asked = "0/5", "0/4", False, 0
        self.is_there = True
        self.sampled_at: float | None = None
        self.silent = SilentStandbys(
            lambda: (self.row,), self._answers, self._is_there, lambda: self.sampled_at or time.monotonic()
        )

    @property
    def row(self) -> Follower:
        return Follower(member=B, state="streaming", sync_state="quorum", sent_lsn=self.sent, flush_lsn=self.flushed)

    async def _answers(self, name: str) -> bool:
        assert name == B
        self.asked += 1
        return self.gate_answers

    async def _is_there(self, name: str) -> bool:
        assert name == B
        return self.is_there

    async def after(self, seconds: float) -> set[str]:
        await self.silent.look()
        await asyncio.sleep(seconds)
        await self.silent.look()
        return set(self.silent.seconds)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silent_standbys, "_UNCONFIRMED_SECONDS", 0.05)
    monkeypatch.setattr(silent_standbys, "_LONG_UNCONFIRMED_SECONDS", 0.2)


async def test_one_that_confirms_nothing_and_whose_gate_is_silent_is_dead() -> None:
    one = _Standby()
    assert await one.after(0) == set()
    assert await one.after(0.3) == {B}
    assert one.silent.seconds[B] >= 0.05


async def test_one_whose_gate_answers_is_only_slow() -> None:
    one = _Standby()
    one.gate_answers = True
    assert (await one.after(0.3), one.asked) == (set(), 1)


async def test_one_whose_machine_takes_no_connection_is_not_asked_for_long() -> None:
    one = _Standby()
    one.is_there = False
    assert (await one.after(0.1), one.asked) == ({B}, 0)


async def test_one_whose_machine_takes_connections_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silent_standbys, "_LONG_UNCONFIRMED_SECONDS", 60.0)
    one = _Standby()
    assert (await one.after(0.1), one.asked) == (set(), 0)


async def test_a_machine_that_takes_or_refuses_a_connection_is_there(tmp_path: Path) -> None:
    """Its gate need not run: a socket that nobody accepts from is enough, until its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listening:
        port = listening.getsockname()[1]
        peers = Peers(settings(tmp_path, port=port), cast("ApiServer", None))
        peers._known[B] = "127.0.0.1"
        assert await peers.is_there(C)  # where it is, nobody knows
        assert await peers.is_there(B)
        with contextlib.ExitStack() as queue:
            for _ in range(3):  # what the kernel has no room for any more it answers as a dead machine does
                one = queue.enter_context(socket.socket())
                one.settimeout(0)
                one.connect_ex(("127.0.0.1", port))
            async with asyncio.timeout(stretched(10)):
                while await peers.is_there(B):  # it does not know when this process was held up
                    await asyncio.sleep(0.05)
    assert await peers.is_there(B)


async def test_what_the_server_said_long_ago_shows_no_silence() -> None:
    """The gate has not asked its server for a while: it is slow itself."""
    one = _Standby()
    one.is_there, one.sampled_at = False, time.monotonic()
    assert (await one.after(0.3), one.asked) == (set(), 0)
    one.sampled_at += 0.3
    await one.silent.look()
    assert set(one.silent.seconds) == {B}


async def test_one_that_has_everything_is_not_even_asked() -> None:
    one = _Standby()
    one.sent = one.flushed
    assert (await one.after(0.3), one.asked) == (set(), 0)


async def test_one_that_confirms_something_lives_again() -> None:
    one = _Standby()
    assert await one.after(0.3) == {B}
    one.flushed = "0/4A"
    assert await one.after(0) == set()


@pytest_asyncio.fixture(loop_scope="session")
async def pair(settled: Path) -> AsyncIterator[Cluster]:
    """Start a pair whose standby is waited for as in production."""
    async with running_cluster(settled) as cluster:
        await cluster.until_synchronous("pg-1", 60)
        await cluster.sql("pg-0", "create table rows (n int)")
        yield cluster


async def test_commits_go_on_without_a_standby_that_lost_power(pair: Cluster) -> None:
    """Its processes are stopped where they are: the connection stays, as with a machine that is switched off."""
    pair.freeze("pg-1")
    began = time.monotonic()
    async with asyncio.timeout(60):
        await pair.sql("pg-0", "insert into rows values (1)")
    seconds = time.monotonic() - began
    print(f"commits waited {seconds:.2f} s")
    assert seconds < 2.5 + _BUSY_MACHINE_SECONDS
    assert pair.record.sync_members == ()
    pair.freeze("pg-1", signal.SIGCONT)
    await pair.until_synchronous("pg-1", 60)
