"""What stands behind the emulated servers: something that can be promoted, stopped and told whom to follow."""

from __future__ import annotations

from typing import Protocol


class Databases(Protocol):
    """Servers by the names that they have in Azure. Every method returns when what it says is so, or raises."""

    async def is_up(self, server: str) -> bool:
        """Whether it answers."""

    async def promote(self, server: str) -> None:
        """Let a replica take writes, with what it has received."""

    async def stop(self, server: str) -> None:
        """Stop cleanly: no more writes, and what was written is sent to the replicas first."""

    async def start(self, server: str) -> None:
        """Start what was stopped, in the role that it had."""

    async def catch_up(self, server: str, leader: str) -> None:
        """Wait until ``server`` has all that ``leader`` has written by now, or before it was stopped."""

    async def follow(self, server: str, leader: str) -> None:
        """Make ``server`` a replica of ``leader``; one that is dead becomes it before it accepts a connection again."""

    async def restart(self, server: str) -> None:
        """Stop and start; connections end."""


class Names(Protocol):
    """Where virtual endpoints are published."""

    def point(self, endpoint: str, writer: str, reader: str) -> None:
        """Let an endpoint's two names lead to these servers from now on."""

    def remove(self, endpoint: str) -> None:
        """Let its names lead nowhere."""
