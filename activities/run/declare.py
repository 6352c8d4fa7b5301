"""A step says beside itself how long to insist on it and what the UI shows of it; ``workflows.run.steps`` reads that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio import activity

from activities.run.postures import Posture

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_DECLARED = "__step__"


@dataclass(frozen=True)
class Declared:
    """What a step says of itself."""

    name: str
    posture: Posture
    summary: Callable[[Any], str]
    """From its request to one line."""


def step(name: str, posture: Posture, summary: Callable[[Any], str]) -> Callable[[F], F]:
    """Register a method as the activity ``name``."""

    def declare(method: F) -> F:
        setattr(method, _DECLARED, Declared(name, posture, summary))
        return activity.defn(name=name)(method)

    return declare


def declared(method: Callable[..., Any]) -> Declared:
    """Return what a step says of itself. AttributeError: it is none."""
    found: Declared = getattr(method, _DECLARED)
    return found
