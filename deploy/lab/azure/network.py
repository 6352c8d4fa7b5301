"""The namespace Microsoft.Network: one provider of several resource types, each with api-versions of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from deploy.lab.azure.links import NETWORK_CHANGE, NETWORK_QUESTION, Style
from deploy.lab.azure.operations import Operations
from deploy.lab.azure.routing import Route

NAMESPACE = "Microsoft.Network"


class ResourceType(Protocol):
    """One resource type of a namespace: its routes name their api-versions."""

    versions: Sequence[str]

    @property
    def routes(self) -> Sequence[Route]:
        """Everything that it answers within a resource group."""

    def has_group(self, group: str) -> bool:
        """Whether one of its resources is in the group."""

    async def start(self, operations: Operations) -> None:
        """Begin what nobody asks for."""

    async def stop(self) -> None:
        """End it."""


class Network:
    """The provider. Give it what it is to consist of, then ``Emulator.serve`` it."""

    namespace = NAMESPACE
    styles: Sequence[Style] = (NETWORK_CHANGE, NETWORK_QUESTION)

    def __init__(self, *types: ResourceType) -> None:
        self._types = types
        self.routes: Sequence[Route] = [route for one in types for route in one.routes]
        self.versions: Sequence[str] = sorted({version for one in types for version in one.versions})
        """Of operations, which belong to no single type."""

    def has_group(self, group: str) -> bool:
        """Whether anything is in the group."""
        return any(one.has_group(group) for one in self._types)

    async def start(self, operations: Operations) -> None:
        """Let every type begin."""
        for one in self._types:
            await one.start(operations)

    async def stop(self) -> None:
        """Let every type end."""
        for one in self._types:
            await one.stop()
