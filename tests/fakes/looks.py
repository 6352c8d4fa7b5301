"""Looks at items of checklists that say what a test wants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from activities.run.checks import Look
from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked


class FakeLooks(Mapping[str, Look]):
    """Of every kind; an item is done unless a test says otherwise."""

    def __init__(self) -> None:
        self.says: dict[str, bool | None] = {}
        """Key of an item → how it is; ``None``: nobody answers."""
        self.looked: list[str] = []
        """Keys, in order."""

    async def look(self, item: Any, target: Any) -> Looked:  # noqa: ARG002 - as real ones have it
        self.looked.append(item.key)
        met = self.says.get(item.key, True)
        if met is None:
            raise UnreachableError("nobody answers at 127.0.0.1:1")
        words = "newest backup 12 min old" if met else "newest backup 95 min old, wanted 60 min at most"
        return Looked(met=met, source="a fake", seen=(words,), at=datetime.now(UTC))

    def __getitem__(self, kind: str) -> Look:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1
