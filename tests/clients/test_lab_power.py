"""The lab's power interface in front of real processes, as the product's adapter sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer

from activities.clients.http_power import HttpMachines
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError
from activities.nodes.machine_models import MachineState
from deploy.lab.names import Lab
from deploy.lab.power import make_app
from deploy.lab.processes import end, pid_of, spawn
from estate.base import Region
from estate.nodes import NodePool, NodeTarget

_PARTS = ("node-1", "node-1-unshare", "node-2")


class _Bench:
    def __init__(self, lab: Lab, address: str) -> None:
        self.lab, self._address, self._machines = lab, address, HttpMachines()

    async def state(self, node: str = "node-1") -> MachineState:
        return await self._machines.state(self._target(node), "")

    async def end(self, node: str = "node-1") -> None:
        await self._machines.end(self._target(node), "")

    def _target(self, node: str) -> NodeTarget:
        machines = {"kind": "http", "address": self._address, "token": "env:POWER_TOKEN", "may_end": True}
        settings = NodePool.model_validate({"region": "eastus", "machines": machines})
        return NodeTarget(name=node, region=Region(location="here", namespace="a"), pool="workers", settings=settings)


@pytest_asyncio.fixture(loop_scope="session")
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    monkeypatch.setenv("FAILOVER_LAB_HOME", str(tmp_path))
    monkeypatch.setenv("POWER_TOKEN", "sesame")
    lab = Lab("power")
    for name in _PARTS:
        spawn(lab, name, ["sleep", "100"])
    (lab.home / "secrets.json").write_text(json.dumps({"power-token": {"token": "sesame"}}), encoding="utf-8")
    try:
        async with TestServer(make_app(lab)) as server:
            yield _Bench(lab, str(server.make_url("")).rstrip("/"))
    finally:
        for name in _PARTS:
            end(lab, name, force=True)


async def test_a_node_that_is_ended_is_stopped_once_the_last_of_it_is_gone(bench: _Bench) -> None:
    assert await bench.state() is MachineState.RUNNING
    await bench.end()
    assert pid_of(bench.lab, "node-1") is None
    assert await bench.state() is MachineState.RUNNING  # what holds its processes has not ended yet
    end(bench.lab, "node-1-unshare", force=True)
    assert await bench.state() is MachineState.STOPPED
    await bench.end()
    assert await bench.state() is MachineState.STOPPED
    assert await bench.state("node-2") is MachineState.RUNNING
    assert pid_of(bench.lab, "node-2") is not None


async def test_nobody_without_the_token_ends_a_node(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWER_TOKEN", "wrong")
    for ask in (bench.state, bench.end):
        with pytest.raises(ForbiddenError):
            await ask()
    (bench.lab.home / "secrets.json").unlink()
    with pytest.raises(UnreachableError, match="503"):
        await bench.end()
    assert pid_of(bench.lab, "node-1") is not None


async def test_another_machine_is_not_known(bench: _Bench) -> None:
    for ask in (bench.state, bench.end):
        with pytest.raises(MissingError):
            await ask("node-9")
