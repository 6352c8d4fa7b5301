"""What each source is asked, and what of its answers counts: the edge, DNS, and Azure through the real SDKs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from temporalio.testing import ActivityEnvironment

from activities.clients.azure.operations import Kind, must_be_of
from activities.clients.edge import HttpEdge
from activities.clients.names import DnsNames
from activities.clients.ports import ForbiddenError, MissingError
from activities.clients.traffic_ports import TrafficClients
from activities.traffic.models import Answer, AwaitServed, Change, Lever, NameFact, Setting
from activities.traffic.serving import TrafficProofActivities
from deploy.lab.azure.faults import Fault as Azure
from estate.traffic import TrafficEntry, TrafficTarget
from tests.azure.pair import SUBSCRIPTION
from tests.azure.traffic import EAST, NAME, WEST
from tests.traffic.bench import AWAY, HOME, PROFILE, TrafficBench
from tests.traffic.samples import ENTRY, TARGET, survey
from workflows.traffic.models import DnsFailoverRequest
from workflows.traffic.planning import make_traffic_plan
from workflows.traffic.undoing import unproven

_HOSTS = {EAST: HOME, WEST: AWAY}


@pytest_asyncio.fixture(loop_scope="session")
async def answering() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Let an HTTP server give one answer; return its URL."""
    runners = []

    async def serve(**response: Any) -> str:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(**response)

        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield serve
    for runner in runners:
        await runner.cleanup()


def _target(url: str, **edge: Any) -> TrafficTarget:
    regions = {HOME: {"health": url}, AWAY: {"health": url, "tells": "West US 2"}}
    entry = TrafficEntry.model_validate({**ENTRY, "edge": {"url": url, **edge}, "regions": regions})
    return TARGET.model_copy(update={"entry": entry})


@pytest.mark.parametrize(
    ("status", "headers", "region", "error"),
    [
        (200, {"X-Region": "West US 2"}, AWAY, ""),
        (200, {"x-region": "eastus", "X-Cache": "CONFIG_NOCACHE"}, HOME, ""),
        (200, {"X-Region": "eastus", "X-Cache": "TCP_HIT"}, "", "out of a cache"),
        (200, {"X-Region": "westus2"}, "", "header x-region says 'westus2'"),
        (200, {}, "", "header x-region says ''"),
        (503, {"X-Region": "eastus"}, "", "answers 503"),
        (302, {"X-Region": "eastus", "Location": "/"}, "", "answers 302"),
    ],
)
async def test_what_counts_as_an_answer_of_the_edge(
    answering: Any, status: int, headers: dict[str, str], region: str, error: str
) -> None:
    url = await answering(status=status, headers=headers)
    answer = await HttpEdge().ask(_target(url))
    assert (answer.region, error in answer.error, bool(answer.error)) == (region, True, bool(error)), answer
    assert (await HttpEdge().health(_target(url), HOME)).healthy is (status == 200)


async def test_the_body_tells_the_region(answering: Any) -> None:
    url = await answering(text="hello from West US 2.")
    assert (await HttpEdge().ask(_target(url, header=""))).region == AWAY
    url = await answering(text="hello")
    assert "names no region" in (await HttpEdge().ask(_target(url, header=""))).error


async def test_a_body_that_names_two_regions_tells_none(answering: Any) -> None:
    url = await answering(text="West US 2, failed over from eastus")
    answer = await HttpEdge().ask(_target(url, header=""))
    assert (answer.region, "its body names eastus and westus2" in answer.error) == ("", True), answer


async def test_a_body_that_arrives_in_parts_is_read_to_its_end() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b"hello from ", b"West ", b"US 2"):
            await response.write(part)
            await asyncio.sleep(0.02)  # so that each part arrives alone
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        assert (await HttpEdge().ask(_target(url, header=""))).region == AWAY
    finally:
        await runner.cleanup()


async def test_nobody_answers() -> None:
    target = _target("http://127.0.0.1:9/")
    assert "ClientConnectorError" in (await HttpEdge().ask(target)).error
    assert not (await HttpEdge().health(target, HOME)).healthy


@pytest.mark.parametrize("bench", ["manager"], indirect=True)
async def test_dns_tells_the_region_and_its_time_to_live(bench: TrafficBench) -> None:
    fact = await DnsNames().look(bench.target, NAME, _HOSTS)
    assert (fact.region, fact.leads_to, fact.ttl_seconds, fact.error) == (HOME, (EAST,), 35, "")
    assert "no endpoint that the estate names" in (await DnsNames().look(bench.target, NAME, {})).error
    assert "says NXDOMAIN" in (await DnsNames().look(bench.target, "x.trafficmanager.net", _HOSTS)).error


async def test_a_dns_server_that_is_silent(bench: TrafficBench) -> None:
    bench.write_estate(nameserver="127.0.0.1", nameserver_port=9)
    assert "DNS (127.0.0.1) says " in (await DnsNames().look(bench.target, NAME, _HOSTS)).error


@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_what_the_estate_names_and_azure_does_not_have(bench: TrafficBench) -> None:
    profile = {"resource_group": "aiagent-edge-rg", "profile": "aiagent-tm"}
    bench.write_estate(traffic_manager={**profile, "endpoints": {HOME: "x", AWAY: "west"}})
    with pytest.raises(MissingError, match="profile aiagent-tm has no endpoint x"):
        await bench.manager.look(bench.target)
    door = {"resource_group": "aiagent-prod-rg", "profile": PROFILE, "endpoint": "x", "route": "r"}
    bench.write_estate(front_door={**door, "origin_groups": {HOME: "a", AWAY: "b"}})
    with pytest.raises(MissingError):
        await bench.front.look(bench.target)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("*/routes/*", "Microsoft.Cdn/profiles/afdendpoints/routes/write"),
        ("*/externalEndpoints/*", "Microsoft.Network/trafficManagerProfiles/externalEndpoints/write"),
    ],
)
@pytest.mark.parametrize("bench", ["both"], indirect=True)
async def test_a_right_that_is_missing_is_named(bench: TrafficBench, path: str, missing: str) -> None:
    bench.world.emulator.faults.order(Azure(method="PATCH", path=path, status=403, code="AuthorizationFailed"))
    lever = Lever.ROUTE if "routes" in path else Lever.ENDPOINT
    after = Setting(group="dr-region-backend-pool") if lever is Lever.ROUTE else Setting(priority=3)
    change = Change(lever=lever, name="east", kind="externalEndpoints", before=Setting(), after=after)
    with pytest.raises(ForbiddenError, match=f"grant the worker {missing}"):
        await bench.clients.of(lever.side).set(bench.target, change)


_OPERATION = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/aiagent-prod-rg/providers/Microsoft.Cdn/operationresults"
    "/b371a718-27bd-4b85-a69f-be6fc806ec75?api-version=2026-10-01&t=1"
)


def test_only_operations_of_front_door_in_the_same_subscription_are_asked_for() -> None:
    assert must_be_of(SUBSCRIPTION, _OPERATION, Kind.FRONT_DOORS) == _OPERATION
    for other in (
        "", "@evil.example" + _OPERATION, "//evil.example" + _OPERATION, _OPERATION + "#x", _OPERATION + " x",
        _OPERATION.replace(SUBSCRIPTION, "another"), _OPERATION.replace("Microsoft.Cdn", "Microsoft.Compute"),
        _OPERATION.replace("aiagent-prod-rg", ".."), _OPERATION.replace("aiagent-prod-rg", "a/../b"),
        _OPERATION.replace("b371a718", "../b371a718"),
    ):  # fmt: skip
        with pytest.raises(MissingError):
            must_be_of(SUBSCRIPTION, other, Kind.FRONT_DOORS)
    with pytest.raises(MissingError):
        must_be_of(SUBSCRIPTION, _OPERATION)


class _Script:
    """Gives one answer after the other, and the last one for ever."""

    def __init__(self, *regions: str) -> None:
        self._regions, self.asked = list(regions), 0

    async def ask(self, _: TrafficTarget) -> Answer:
        region = self._regions[min(self.asked, len(self._regions) - 1)]
        self.asked += 1
        return Answer(region=region, status=200, error="" if region else "502")

    async def look(self, _: TrafficTarget, __: str, ___: Any) -> NameFact:
        answer = await self.ask(_)
        return NameFact(region=answer.region, error=answer.error, ttl_seconds=60)


async def _served(
    edge: _Script, name: _Script | None = None, *, seconds: float = 5, name_seconds: float | None = None, before: Any = ()
) -> Any:
    limits = {"ask_every": "PT0.01S", "answers_in_a_row": 3}
    target = TARGET.model_copy(update={"entry": TrafficEntry.model_validate({**ENTRY, "thresholds": limits})})
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    name_until = until if name_seconds is None else datetime.now(UTC) + timedelta(seconds=name_seconds)
    clients = TrafficClients(front_door=None, traffic_manager=None, edge=edge, names=name)  # type: ignore[arg-type]
    wait = AwaitServed(target=target, to=AWAY, name="x" if name else "", edge_until=until, name_until=name_until)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_details=before)
    return await environment.run(TrafficProofActivities(clients).await_served, wait)


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([AWAY], 3),
        ([HOME, AWAY], 4),
        ([AWAY, AWAY, HOME, AWAY], 6),
        ([AWAY, "", AWAY, AWAY, HOME, AWAY], 8),
    ],
)
async def test_the_proof_is_so_many_answers_in_a_row(answers: list[str], asked: int) -> None:
    served = await _served(_Script(*answers))
    assert (served.proven, served.edge.answers) == (True, asked)
    assert served.edge.first_at <= served.edge.all_from


async def test_the_edge_and_dns_must_both_follow() -> None:
    served = await _served(_Script(AWAY), _Script(AWAY, HOME), seconds=0.3)
    assert (served.edge.all_from is not None, served.name.all_from, served.proven) == (True, None, False)
    assert (served.name.first_at is not None, served.name.last, served.name.ttl_seconds) == (True, "it came from eastus", 60)


async def test_the_first_answer_is_known_to_the_worker_that_takes_over() -> None:
    first = datetime(2026, 11, 29, 2, tzinfo=UTC)
    served = await _served(_Script(AWAY), _Script(AWAY), before=({"edge": first.isoformat()},))
    assert (served.edge.first_at, served.name.first_at > first, served.edge.all_from > first) == (first, True, True)


async def test_a_row_of_answers_that_is_coming_in_is_no_failure() -> None:
    assert (await _served(_Script(AWAY), seconds=-1)).proven
    assert not (await _served(_Script(AWAY, HOME), seconds=-1)).proven


async def test_when_dns_has_failed_for_good_the_edge_is_not_waited_for() -> None:
    served = await _served(_Script(HOME), _Script(HOME), seconds=60, name_seconds=-1)
    assert (served.proven, served.edge.stopped, served.name.stopped) == (False, True, False)
    told = unproven(TARGET, served, make_traffic_plan(DnsFailoverRequest(traffic="aiagent", to=AWAY), TARGET, survey()))
    assert "DNS has not answered from westus2" in told
    assert "the edge was not waited for any longer" in told
