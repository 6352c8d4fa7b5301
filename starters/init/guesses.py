"""A guess, and from what it was seen."""

from __future__ import annotations

from dataclasses import dataclass

Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Guess:
    """What a key of the estate would be."""

    value: Value | None = None
    """``None``: nothing was seen; a person must say."""
    source: str = ""
    """From what it was seen, as the comment in the estate tells it."""
    sure: bool = False
    """Nobody is asked."""

    @property
    def words(self) -> str:
        """Return the value as a person would type it; empty where there is none."""
        if self.value is None:
            return ""
        return self.value if isinstance(self.value, str) else ", ".join(self.value) or "none"
