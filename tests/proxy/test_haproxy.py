"""One HAProxy: priorities and health are its own, what is wanted reaches it under load, and it does not stay dead."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.lab.haproxy import Haproxy
from deploy.lab.haproxy_layout import Entry, Layout, Pool, Probe, Server, change
from deploy.lab.names import LabError
from deploy.lab.ports import free_port
from deploy.lab.processes import start_time
from tests.proxy.origins import HEALTH, Customers, Origin, answer, origins, until, until_served_by

pytestmark = pytest.mark.usefixtures("_real_servers")
A, B = "127.0.84.11", "127.0.84.12"
_PROBE = Probe(HEALTH, 0.05, 0.5, fall=2, rise=3, method="HEAD")


class Bench:
    """HAProxy in front of A, priority 1, and B, priority 2; a second pool has B alone."""

    def __init__(self, servers: dict[str, Origin]) -> None:
        self.servers = servers
        self.both = Pool({"a": Server(servers[A].address), "b": Server(servers[B].address, priority=2)}, _PROBE)
        self.other = Pool({"b": Server(servers[B].address)}, _PROBE)
        self.layout = self.having(self.both, free_port("127.0.0.1"))
        self.said: list[str] = []
        self.proxy = Haproxy("a test", self.layout, self.said.append)

    def having(self, pool: Pool, port: int = 0, to: str = "both") -> Layout:
        address = f"127.0.0.1:{port}" if port else self.layout.entries["in"].address
        return Layout({"in": Entry(address, to)}, {"both": pool, "other": self.other})

    @property
    def url(self) -> str:
        return f"http://{self.layout.entries['in'].address}"

    async def want(self, layout: Layout) -> None:
        self.proxy.want(layout)
        await self.proxy.settled()


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with origins(A, B) as servers:
        bench = Bench(servers)
        await bench.proxy.start()
        try:
            yield bench
        finally:
            await bench.proxy.stop()


async def test_the_next_priority_serves_within_the_probes_time_and_the_first_one_again_when_it_is_back(bench: Bench) -> None:
    assert await answer(bench.url) == (200, A)
    await until_probed(bench, A)
    began = time.monotonic()
    bench.servers[A].status = 503
    await until_served_by(bench.url, B)
    assert time.monotonic() - began > _PROBE.seconds * (_PROBE.fall - 1) / 2, "one bad answer is not enough"
    bench.servers[A].status = 200
    await until_served_by(bench.url, A)


async def until_probed(bench: Bench, host: str) -> None:
    async def probed() -> bool:
        return bench.servers[host].probed > _PROBE.rise

    await until(probed)


async def test_a_dead_server_costs_502_until_its_probes_have_noticed_and_nothing_is_sent_twice(bench: Bench) -> None:
    await until_probed(bench, A)
    assert await answer(bench.url, "/dropped", method="POST") == (502, "")
    assert (bench.servers[A].asked, bench.servers[B].asked) == (["POST /dropped"], [])
    await bench.servers[A].die()
    assert (await answer(bench.url))[0] in {200, 502}
    await until_served_by(bench.url, B)
    await bench.servers[B].die()
    await until(lambda: _is(bench, 502))


async def _is(bench: Bench, status: int) -> bool:
    return (await answer(bench.url))[0] == status


async def test_no_request_fails_when_the_route_moves_by_the_runtime_socket(bench: Bench) -> None:
    before = bench.proxy.pid
    async with Customers().asking(bench.url) as customers:
        for to, host in (("other", B), ("both", A)) * 5:
            await bench.want(bench.having(bench.both, to=to))
            await until(_more(customers))
            assert set(customers.by[-5:]) == {host}
    assert (set(customers.statuses), bench.proxy.pid) == ({200}, before)
    await bench.want(bench.having(bench.both, to="none"))
    assert await answer(bench.url) == (503, "")


def _more(customers: Customers) -> Callable[[], bool]:
    """Return what says whether ten more requests have been answered."""
    seen = len(customers.by)
    return lambda: len(customers.by) > seen + 10


async def test_servers_come_and_go_while_requests_go_on(bench: Bench) -> None:
    before, a, b = bench.proxy.pid, bench.both.servers["a"], bench.both.servers["b"]
    async with Customers().asking(bench.url) as customers:
        await bench.want(bench.having(replace(bench.both, servers={"b": b})))
        assert {place for place in await bench.proxy.servers() if place[0].startswith("both")} == {("both.2", "b")}
        assert await answer(bench.url) == (200, B)
        await bench.want(bench.having(replace(bench.both, servers={"a": replace(a, priority=5), "b": b})))
        assert await answer(bench.url) == (200, B)
        even = {"a": replace(a, priority=2), "b": replace(b, weight=1)}
        await bench.want(bench.having(replace(bench.both, servers=even)))
        await bench.want(bench.having(replace(bench.both, servers={**even, "a": replace(even["a"], weight=200)})))
        asked = [(await answer(bench.url))[1] for _ in range(30)]
        assert asked.count(A) > 24, "200 to 1"
    assert (set(customers.statuses), bench.proxy.pid) == ({200}, before)


async def test_a_server_that_is_taken_out_ends_its_request_first(bench: Bench) -> None:
    slow = asyncio.create_task(answer(bench.url, "/slow"))
    await until(lambda: bool(bench.servers[A].asked))
    bench.proxy.want(bench.having(replace(bench.both, servers={"b": bench.both.servers["b"]})))
    await until_served_by(bench.url, B)
    bench.servers[A].held.set()
    assert await slow == (200, A)
    await bench.proxy.settled()
    assert ("both.1", "a") not in await bench.proxy.servers()


async def test_another_probe_takes_another_process_and_no_request_fails(bench: Bench) -> None:
    bench.servers[A].status = 503
    await until_served_by(bench.url, B)
    before = bench.proxy.pid
    async with Customers().asking(bench.url, "GET") as customers:  # a kept connection may end: a POST is not sent again
        await bench.want(bench.having(replace(bench.both, probe=replace(_PROBE, path=f"{HEALTH}/deep"))))
        for _ in range(20):
            assert await answer(bench.url) == (200, B), "the other process knows that A is down"
        assert bench.proxy.pid != before
        await until(lambda: start_time(before) is None, 10)
    assert set(customers.statuses) == {200}
    bench.servers[A].status = 200
    await until_served_by(bench.url, A)


def _ended(bench: Bench) -> Callable[[], bool]:
    """Return what says whether the end of the process that runs now has been noticed."""
    said = len(bench.said)
    return lambda: len(bench.said) > said


async def test_a_killed_haproxy_is_said_and_started_again_with_what_is_wanted(bench: Bench) -> None:
    await bench.want(bench.having(bench.both, to="other"))
    before, noticed = bench.proxy.pid, _ended(bench)
    os.kill(before, signal.SIGKILL)
    await until(noticed)
    await bench.proxy.settled()
    assert await answer(bench.url) == (200, B)
    assert bench.said == [
        f"HAProxy of a test, process {before}, has ended with -9; started again as process {bench.proxy.pid}"
    ]


async def test_one_that_does_not_stay_is_given_up_with_a_sentence(bench: Bench) -> None:
    for _ in range(5):
        noticed = _ended(bench)
        os.kill(bench.proxy.pid, signal.SIGKILL)
        await until(noticed)
    with pytest.raises(LabError, match=r"has ended with -9, 5 times within 60 s: not started again"):
        await bench.proxy.settled()
    assert "not started again" in bench.said[-1]


async def test_a_port_that_somebody_has_is_named(bench: Bench) -> None:
    taken = Layout({"in": Entry(bench.servers[A].address)})
    with pytest.raises(LabError, match=f"HAProxy of the second does not start: .*{bench.servers[A].address}"):
        await Haproxy("the second", taken).start()


async def test_a_command_that_is_refused_is_named(bench: Bench) -> None:
    away = replace(bench.both, servers={**bench.both.servers, "c": Server("127.0.0.1:x")})
    bench.proxy.want(bench.having(away))
    with pytest.raises(LabError, match=r"HAProxy of a test refuses `add server both.1/c 127.0.0.1:x"):
        await bench.proxy.settled()


def test_what_no_command_changes_takes_another_process() -> None:
    routes = Path("routes.map")
    pool = Pool({"a": Server("127.0.0.1:1")}, _PROBE)
    layout = Layout({"in": Entry("127.0.0.1:2", "p")}, {"p": pool})
    for other in (
        Layout({"in": Entry("127.0.0.1:3", "p")}, {"p": pool}),
        Layout(layout.entries, {"p": replace(pool, probe=None)}),
        Layout(layout.entries, {"p": replace(pool, servers={"a": Server("127.0.0.1:9")})}),
        Layout(layout.entries, {"p": pool, "q": pool}),
        Layout(layout.entries, {}),
    ):
        assert change(layout, other, routes) is None
    same = change(layout, layout, routes)
    assert same is not None
    assert (same.commands, same.removed) == ((), ())
