"""Real Redis servers and Sentinels with the shipped settings on loopback addresses, and an operator's hands on them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from deploy.clients.redis_client import RedisSettings
from deploy.clients.redis_link import Address
from deploy.clients.redis_master import ask
from tests.ports import free_port

SETTINGS = Path(__file__).resolve().parents[2] / "deploy/kubernetes/base/redis/settings"
PASSWORD = "loopback-password"
NAME = "mymaster"
SERVERS = ("redis-0", "redis-1", "redis-2")
SENTINELS = ("redis-sentinel-0", "redis-sentinel-1", "redis-sentinel-2")


class RedisCluster:
    """Servers at 127.0.2.1 to .3, Sentinels at .11 to .13; ``redis-0`` starts as the master."""

    def __init__(self, folder: Path, down_after: int | None, min_replicas: int) -> None:
        self.folder, self._down_after, self._min_replicas = folder, down_after, min_replicas
        self.port = free_port(*(f"127.0.2.{number}" for number in range(1, 4)))
        self.sentinel_port = free_port(*(f"127.0.2.{number}" for number in range(11, 14)))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._identity = {name: secrets.token_hex(20) for name in SENTINELS}

    def address(self, name: str) -> Address:
        if name in SERVERS:
            return f"127.0.2.{1 + SERVERS.index(name)}", self.port
        return f"127.0.2.{11 + SENTINELS.index(name)}", self.sentinel_port

    def name(self, address: Address | None) -> str:
        return next((name for name in SERVERS if self.address(name) == address), str(address))

    @property
    def settings(self) -> RedisSettings:
        return RedisSettings(tuple(self.address(name) for name in SENTINELS), PASSWORD)

    def start(self, name: str, *, replica_of: str | None = None) -> None:
        """Start a server or Sentinel; a server knows no master unless told, as one that was killed does not."""
        lines = self._server_lines(name, replica_of) if name in SERVERS else self._sentinel_lines(name)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        configuration = folder / "redis.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        program = "redis-server" if name in SERVERS else "redis-sentinel"
        with (folder / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen([program, str(configuration)], stdout=log, stderr=log, cwd=folder)

    def _server_lines(self, name: str, replica_of: str | None) -> list[str]:
        host, port = self.address(name)
        lines = [
            f"include {SETTINGS / 'redis.conf'}", f"bind {host}", f"bind-source-addr {host}", f"port {port}",
            f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", f"replica-announce-ip {host}",
            f"min-replicas-to-write {self._min_replicas}",
        ]  # fmt: skip
        return [*lines, f"replicaof {self.address(replica_of)[0]} {port}"] if replica_of else lines

    def _sentinel_lines(self, name: str) -> list[str]:
        host, port = self.address(name)
        master = self.address("redis-0")
        lines = [
            f"include {SETTINGS / 'sentinel.conf'}", f"bind {host}", f"port {port}",
            f"requirepass {PASSWORD}", f"sentinel sentinel-pass {PASSWORD}",
            f"sentinel announce-ip {host}", f"bind-source-addr {host}", f"sentinel myid {self._identity[name]}",
            f"sentinel monitor {NAME} {master[0]} {master[1]} 2", f"sentinel auth-pass {NAME} {PASSWORD}",
        ]  # fmt: skip
        lines += [f"sentinel down-after-milliseconds {NAME} {self._down_after}"] if self._down_after else []
        lines += [f"sentinel known-replica {NAME} {self.address(one)[0]} {self.port}" for one in SERVERS[1:]]
        for other in SENTINELS:
            if other != name:
                lines.append(f"sentinel known-sentinel {NAME} {self.address(other)[0]} {port} {self._identity[other]}")
        return lines

    def signal(self, name: str, number: signal.Signals) -> None:
        process = self.processes[name]
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait(10)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait(10)

    async def tell(self, name: str, *command: str) -> Any:
        return (await ask(self.address(name), PASSWORD, command, within=2))[0]

    async def role(self, name: str) -> str:
        with suppress(RedisError, OSError):
            return str((await self.tell(name, "ROLE"))[0])
        return ""

    async def offset(self, name: str) -> int:
        told = dict(
            line.split(":", 1) for line in (await self.tell(name, "INFO", "replication")).splitlines() if ":" in line
        )
        return int(told["slave_repl_offset" if told["role"] == "slave" else "master_repl_offset"])

    async def named_by(self, sentinel: str) -> str:
        host, port = await self.tell(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return self.name((host, int(port)))

    async def master(self) -> str | None:
        masters = [name for name in SERVERS if await self.role(name) == "master"]
        return masters[0] if len(masters) == 1 else None

    async def ready(self) -> bool:
        """Whether both replicas follow and every Sentinel sees the servers and its peers alive."""
        replicas = [
            line for line in (await self.tell("redis-0", "INFO", "replication")).splitlines() if "state=online" in line
        ]
        checks = [await self.tell(name, "SENTINEL", "CKQUORUM", NAME) for name in SENTINELS]
        known = [await self.tell(name, "SENTINEL", "REPLICAS", NAME) for name in SENTINELS]
        fit = all(
            one[one.index("flags") + 1] == "slave" and one[one.index("slave-priority") + 1] for row in known for one in row
        )
        return len(replicas) == 2 and all("3 usable" in one for one in checks) and fit

    async def until(self, holds: Callable[[], Awaitable[object]], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while True:
                with suppress(RedisError, OSError):
                    if await holds():
                        return
                await asyncio.sleep(0.01)

    async def move_unannounced(self) -> None:
        """Let ``redis-1`` lead and ``redis-0`` follow behind the Sentinels' back, which name ``redis-0`` on for seconds."""
        await self.tell("redis-0", "CLIENT", "PAUSE", "10000", "WRITE")
        await self.until(lambda: self.caught_up("redis-0", "redis-1"))
        await self.tell("redis-1", "REPLICAOF", "NO", "ONE")
        host, port = self.address("redis-1")
        await self.tell("redis-0", "REPLICAOF", host, str(port))
        await self.tell("redis-0", "CLIENT", "UNPAUSE")

    async def caught_up(self, *names: str) -> bool:
        return len({await self.offset(name) for name in names}) == 1

    async def move_planned(self, *, release_first: bool = False) -> str:
        """Move the master as the operator does, without losing an acknowledged write; return the new one.

        With ``release_first`` held-back writes get a moment to be refused before their sessions are ended.
        """
        old = await self.master()
        assert old
        await self.tell(old, "CLIENT", "PAUSE", "10000", "WRITE")
        replicas = [name for name in SERVERS if name != old]

        async def promoted() -> list[str]:
            return [name for name in replicas if await self.role(name) == "master"]

        await self.until(lambda: self.caught_up(old, *replicas))
        await self.tell(SENTINELS[0], "SENTINEL", "FAILOVER", NAME)
        await self.until(promoted)
        (new,) = await promoted()
        host, port = self.address(new)
        await self.tell(old, "REPLICAOF", host, str(port))
        if release_first:
            await self.tell(old, "CLIENT", "UNPAUSE")
            await asyncio.sleep(0.01)
        await self.tell(old, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await self.tell(old, "CLIENT", "UNPAUSE")
        return new


@asynccontextmanager
async def running_redis(
    folder: Path, *, down_after: int | None = 2000, min_replicas: int = 0
) -> AsyncIterator[RedisCluster]:
    """Start everything and wait until a failover would work. ``down_after`` is in milliseconds, None as shipped.

    Sentinel connects again after a second at the earliest: with one second of patience it takes a new master for dead.
    """
    cluster = RedisCluster(folder, down_after, min_replicas)
    try:
        for name in SERVERS:
            cluster.start(name, replica_of=None if name == "redis-0" else "redis-0")
        for name in SENTINELS:
            cluster.start(name)
        await cluster.until(cluster.ready)
        yield cluster
    finally:
        for process in cluster.processes.values():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        cluster.stop()
