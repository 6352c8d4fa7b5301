"""What is started and ended of two regions, and in which order; clusters and databases are in memory."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.lab.azure.pair import PRIMARY, REPLICA
from deploy.lab.names import LabError
from deploy.lab.regions.scene import EAST, WEST, Stage


class _Servers:
    """Two databases; ``awaited`` says whom a dead one follows as soon as it is healed."""

    def __init__(self, calls: list[str]) -> None:
        self.calls, self.dead, self.awaited = calls, set[str](), dict[str, str]()

    def kill(self, server: str) -> None:
        self.calls.append(f"kill {server}")
        self.dead.add(server)

    def awaited_leader(self, server: str) -> str:
        return self.awaited.get(server, "")

    async def is_up(self, server: str) -> bool:
        return server not in self.dead

    async def heal(self, server: str) -> None:
        self.calls.append(f"heal {server}")
        self.dead.discard(server)

    def address(self, server: str) -> Any:
        return SimpleNamespace(host=f"at {server}")


class _Cluster:
    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls, self.is_lost = name, calls, False

    @property
    def parts(self) -> dict[str, bool]:
        return {"API server": not self.is_lost, "node": not self.is_lost}

    def lose(self) -> None:
        self.calls.append(f"lose {self.name}")
        self.is_lost = True

    def heal(self) -> None:
        self.calls.append(f"heal {self.name}")
        self.is_lost = False


class _Gateways:
    """Sockets that listen, or not."""

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls
        self._listening = {name: socket.create_server(("127.0.0.1", 0)) for name in (EAST, WEST)}
        self.addresses = {name: f"127.0.0.1:{one.getsockname()[1]}" for name, one in self._listening.items()}

    async def lose(self, region: str) -> None:
        self.calls.append(f"end the gateway of {region}")
        self._listening.pop(region).close()

    async def restore(self, region: str) -> None:
        self.calls.append(f"start the gateway of {region}")
        port = int(self.addresses[region].rpartition(":")[2])
        self._listening[region] = self._listening.get(region) or socket.create_server(("127.0.0.1", port))


def _stage(calls: list[str], *, edge: str = "http://127.0.0.1:1", leader: str = PRIMARY) -> tuple[Stage, _Servers]:
    servers = _Servers(calls)

    async def resolve(_: str) -> str:
        return f"at {leader}"

    parts = {
        "azure": SimpleNamespace(servers=servers, resolve=resolve),
        "edge": SimpleNamespace(url=edge),
        "gateways": _Gateways(calls),
        "clusters": {name: _Cluster(name, calls) for name in (EAST, WEST)},
        "temporal": SimpleNamespace(is_alive=True),
        "workers": SimpleNamespace(alive=1),
    }
    return Stage(**cast("dict[str, Any]", parts), customer=cast("Any", None), told={}, endpoint=""), servers


async def test_a_region_is_lost_with_its_database_and_comes_back_with_it() -> None:
    calls: list[str] = []
    stage, _ = _stage(calls)
    await stage.lose(EAST)
    assert (stage.is_lost(EAST), stage.is_lost(WEST), stage.has_api_server(EAST)) == (True, False, False)
    lost = {f"{EAST} {part}" for part in ("API server", "node", "database", "gateway")}
    assert {part for part, runs in (await stage.parts()).items() if not runs} == {*lost, "edge", "workers"}
    await stage.restore(EAST)
    assert {part for part, runs in (await stage.parts()).items() if not runs} == {"edge", "workers"}
    assert calls == [
        f"end the gateway of {EAST}", f"kill {PRIMARY}", f"lose {EAST}",
        f"heal {EAST}", f"heal {PRIMARY}", f"start the gateway of {EAST}",
    ]  # fmt: skip


async def test_a_database_is_not_healed_before_the_one_that_it_has_to_follow() -> None:
    """Nothing of its region is started then: the same heal is asked for again later."""
    calls: list[str] = []
    stage, servers = _stage(calls, leader=REPLICA)
    servers.awaited[PRIMARY] = REPLICA
    servers.dead |= {PRIMARY, REPLICA}
    with pytest.raises(LabError, match=f"{PRIMARY} follows {REPLICA}, which does not run; heal its region first"):
        await stage.restore(EAST)
    assert calls == []
    assert await stage.leading() == WEST
    await stage.restore(WEST)
    await stage.restore(EAST)
    west = [f"heal {WEST}", f"heal {REPLICA}", f"start the gateway of {WEST}"]
    assert calls == [*west, f"heal {EAST}", f"heal {PRIMARY}", f"start the gateway of {EAST}"]


async def test_the_edge_runs_when_it_takes_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stage, _ = _stage([], edge=f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert await stage.has_edge()
    assert not await stage.has_edge()
