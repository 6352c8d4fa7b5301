"""What steps expect of any control plane of machines: of the one in memory, and of a power interface over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from temporalio.exceptions import ApplicationError

from activities.clients.cluster_ports import Machines
from activities.clients.http_power import HttpMachines
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState
from estate.base import Region
from estate.nodes import NodePool, NodeTarget
from tests.nodes.world import FakeMachines

_TOKEN = "sesame"
_REGION = Region(location="East US", namespace="aiagent-prod")


def _target(address: str) -> NodeTarget:
    machines = {"kind": "http", "address": address, "token": "env:POWER_TOKEN"}
    settings = NodePool.model_validate({"region": "eastus", "machines": machines})
    return NodeTarget(name="node-2", region=_REGION, pool="workers", settings=settings)


class _Power:
    """A power interface as others would write one, in front of machines in memory."""

    def __init__(self, world: FakeMachines) -> None:
        self._world = world
        self.says: web.Response | None = None

    @property
    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/machines/{node}", self._state), web.post("/machines/{node}/off", self._off)])
        return app

    async def _state(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._world.state)

    async def _off(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._world.end)

    async def _answer(self, request: web.Request, ask: Any) -> web.Response:
        if self.says is not None:
            return self.says
        if request.headers.get("Authorization") != f"Bearer {_TOKEN}":
            return web.json_response({}, status=401)
        target = _target("http://of.no.use").model_copy(update={"name": request.match_info["node"]})
        try:
            state = await ask(target, "")
        except MissingError:
            return web.json_response({}, status=404)
        except ForbiddenError:
            return web.json_response({}, status=403)
        except UnreachableError:
            return web.json_response({}, status=503)
        return web.json_response({"state": str(state)} if state else {})


class _Bench:
    def __init__(self, world: FakeMachines, machines: Machines, target: NodeTarget, power: _Power) -> None:
        self.world, self.machines, self.target, self.power = world, machines, target, power


@pytest_asyncio.fixture(loop_scope="session", params=["in memory", "http"])
async def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    monkeypatch.setenv("POWER_TOKEN", _TOKEN)
    world = FakeMachines()
    power = _Power(world)
    async with TestServer(power.app) as server:
        target = _target(str(server.make_url("")).rstrip("/"))
        yield _Bench(world, world if request.param == "in memory" else HttpMachines(), target, power)


http = pytest.mark.parametrize("bench", ["http"], indirect=True)


@pytest.mark.parametrize("state", list(MachineState))
async def test_a_state_is_what_the_control_plane_says(bench: _Bench, state: MachineState) -> None:
    bench.world.states["node-2"] = state
    assert await bench.machines.state(bench.target, "") is state


async def test_what_is_ended_does_not_run_after_a_while_and_it_may_be_repeated(bench: _Bench) -> None:
    assert await bench.machines.state(bench.target, "") is MachineState.RUNNING
    await bench.machines.end(bench.target, "")
    assert await bench.machines.state(bench.target, "") is MachineState.CHANGING
    assert (await bench.machines.state(bench.target, "")).runs_nothing
    await bench.machines.end(bench.target, "")
    assert (await bench.machines.state(bench.target, "")).runs_nothing
    assert bench.world.ended == ["node-2", "node-2"]


async def test_silence_no_and_gone_are_told_apart(bench: _Bench) -> None:
    for trouble, expected in (("silent", UnreachableError), ("forbidden", ForbiddenError)):
        setattr(bench.world, trouble, True)
        with pytest.raises(expected):
            await bench.machines.state(bench.target, "")
        with pytest.raises(expected):
            await bench.machines.end(bench.target, "")
        setattr(bench.world, trouble, False)
    bench.world.missing = {"node-2"}
    with pytest.raises(MissingError):
        await bench.machines.state(bench.target, "")
    with pytest.raises(MissingError):
        await bench.machines.end(bench.target, "")
    assert bench.world.ended == []


@http
async def test_a_wrong_token_is_a_no_that_says_where_to_look(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWER_TOKEN", "wrong")
    with pytest.raises(ForbiddenError, match=r"GET http://.*/machines/node-2: the power interface says 401; see token"):
        await bench.machines.state(bench.target, "")
    monkeypatch.delenv("POWER_TOKEN")
    with pytest.raises(ApplicationError, match="secret env:POWER_TOKEN is missing"):
        await bench.machines.state(bench.target, "")


@http
@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"text": '{"state": "on fire"}', "content_type": "application/json"}, MachineState.UNKNOWN),
        ({"text": '{"power": "off"}', "content_type": "application/json"}, MachineState.UNKNOWN),
        ({"text": '["stopped"]', "content_type": "application/json"}, MachineState.UNKNOWN),
        ({"text": "stopped"}, None),
        ({"text": "stopped", "content_type": "application/json"}, None),
        ({"status": 302, "headers": {"Location": "/machines/node-3"}}, None),
        ({"status": 500, "text": '{"state": "stopped"}', "content_type": "application/json"}, None),
    ],
)
async def test_nothing_unclear_is_taken_for_a_stop(
    bench: _Bench, answer: dict[str, Any], state: MachineState | None
) -> None:
    bench.power.says = web.Response(**answer)
    if state is not None:
        assert await bench.machines.state(bench.target, "") is state
        return
    with pytest.raises(UnreachableError):
        await bench.machines.state(bench.target, "")


async def test_a_power_interface_that_is_not_there_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWER_TOKEN", _TOKEN)
    with pytest.raises(UnreachableError, match=r"GET http://127\.0\.0\.1:1/machines/node-2"):
        await HttpMachines().state(_target("http://127.0.0.1:1"), "")
