"""A step says beside itself how long to insist on it and what the UI shows of it; ``workflows.run.steps`` reads that.

A step that was renamed is served under both names: histories, and runs that are open, know it by the earlier one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from types import MethodType
from typing import Any, TypeVar

from temporalio import activity

from activities.run.postures import Posture

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
_DECLARED = "__step__"
_DEFINED = "__temporal_activity_definition"
RENAMED: dict[str, str] = {}
"""Earlier name → today's."""


@dataclass(frozen=True)
class Declared:
    """What a step says of itself."""

    name: str
    posture: Posture
    summary: Callable[[Any], str]
    """From its request to one line."""
    earlier: Callable[..., Awaitable[Any]] | None = None
    """The same step under its earlier name."""


def step(name: str, posture: Posture, summary: Callable[[Any], str], *, formerly: str = "") -> Callable[[F], F]:
    """Register a method as the activity ``name``, and as ``formerly`` until no history holds that any more."""

    def declare(method: F) -> F:
        earlier = _under(formerly, method) if formerly else None
        setattr(method, _DECLARED, Declared(name, posture, summary, earlier))
        return activity.defn(name=name)(method)

    if formerly:
        RENAMED[formerly] = name
    return declare


def _under(name: str, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(method)
    async def earlier(self: object, request: Any) -> Any:  # noqa: ANN401 - as the method has it
        return await method(self, request)

    return activity.defn(name=name)(earlier)


def declared(method: Callable[..., Any]) -> Declared:
    """Return what a step says of itself. AttributeError: it is none."""
    found: Declared = getattr(method, _DECLARED)
    return found


def steps_of(group: object) -> Iterator[Callable[..., Any]]:
    """Yield the activities among the methods of ``group``, under every name."""
    for name in dir(group):
        method: Any = None if name[0] == "_" else getattr(group, name)
        if not hasattr(method, _DEFINED):
            continue
        yield method
        said: Declared | None = getattr(method, _DECLARED, None)
        if said is not None and said.earlier is not None:
            yield MethodType(said.earlier, group)
