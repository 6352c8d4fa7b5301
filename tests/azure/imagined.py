"""Databases that only remember what was done to them, and names that go nowhere: the emulator without PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ImaginedDatabases:
    """``done`` is what was asked of them, in order."""

    done: list[tuple[str, ...]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Methods that raise."""

    async def is_up(self, server: str) -> bool:
        return server not in self.down

    async def promote(self, server: str) -> None:
        self._do("promote", server)

    async def stop(self, server: str) -> None:
        self._do("stop", server)
        self.down.add(server)

    async def start(self, server: str) -> None:
        self._do("start", server)
        self.down.discard(server)

    async def catch_up(self, server: str, leader: str) -> None:
        self._do("catch_up", server, leader)

    async def follow(self, server: str, leader: str) -> None:
        self._do("follow", server, leader)
        if ("stop", server) in self.done:
            self.down.discard(server)

    async def restart(self, server: str) -> None:
        self._do("restart", server)

    def _do(self, *what: str) -> None:
        self.done.append(what)
        if what[0] in self.broken:
            raise RuntimeError(f"{what[0]} is broken")


@dataclass
class ImaginedNames:
    """``points`` is endpoint → writer, reader."""

    points: dict[str, tuple[str, str]] = field(default_factory=dict)

    def point(self, endpoint: str, writer: str, reader: str) -> None:
        self.points[endpoint] = (writer, reader)

    def remove(self, endpoint: str) -> None:
        self.points.pop(endpoint, None)
