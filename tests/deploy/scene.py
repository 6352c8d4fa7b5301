"""Two regions in memory."""

from __future__ import annotations

import asyncio
from typing import Any

EAST, WEST = "eastus", "westus2"


class FakeScene:
    """Everything runs to begin with; ``calls`` lists what was started and ended."""

    def __init__(self) -> None:
        self.lost: set[str] = set()
        self.without_api: set[str] = set()
        self.edge = True
        self.leader = EAST
        self.calls: list[str] = []
        self.hold = asyncio.Event()
        self.hold.set()
        """Not set: whatever restores a region waits."""

    @property
    def regions(self) -> tuple[str, str]:
        return EAST, WEST

    def is_lost(self, region: str) -> bool:
        return region in self.lost

    def has_api_server(self, region: str) -> bool:
        return region not in self.lost | self.without_api

    async def has_edge(self) -> bool:
        return self.edge

    async def lose(self, region: str) -> None:
        self.calls.append(f"lose {region}")
        self.lost.add(region)

    async def restore(self, region: str) -> None:
        self.calls.append(f"restore {region}")
        await self.hold.wait()
        self.lost.discard(region)
        self.without_api.discard(region)

    async def end_api_server(self, region: str) -> None:
        self.calls.append(f"end API server {region}")
        self.without_api.add(region)

    async def end_edge(self) -> None:
        self.calls.append("end edge")
        self.edge = False

    async def start_edge(self) -> None:
        self.calls.append("start edge")
        self.edge = True

    async def leading(self) -> str:
        return self.leader

    async def restore_rest(self) -> None:
        self.calls.append("restore rest")

    async def facts(self) -> dict[str, Any]:
        return {"parts": {"edge": self.edge}}
