"""What is to go wrong, ordered per call: by method, path and how many matching calls come before.

The order of things is that of a request. ``latency`` comes first; then the connection may be dropped (``drop="before"``) or
a status be answered, and nothing is done. ``ends`` lets the request be accepted with 202 and its operation end Failed or
Canceled later, which is where Azure reports most conflicts. ``drop="after"`` is the lost answer: everything was done, and
the caller cannot know. Each fault meets the calls from the ``nth`` on, ``times`` of them (0: for good).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Fault(BaseModel):
    """One order. ``path`` is a glob on the decoded path without its query; case does not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str = "*"
    path: str = "*"
    nth: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=0)
    latency: float = Field(default=0, ge=0)
    """Seconds, not scaled by the emulator's pace."""
    drop: Literal["before", "after"] | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    code: str = ""
    """The error's code. An operation that ends without one has no error body at all."""
    message: str = "ordered"
    retry_after: int | None = None
    ends: Literal["Failed", "Canceled"] | None = None
    acted: bool = False
    """With ``ends``: the work is done nevertheless, and the operation lies."""
    supersedes: bool = False
    """A change of something that is being changed is accepted, and the change that runs ends Canceled."""
    links: bool = True
    """Without it the 202 names neither status URL nor Location; the SDK then takes the operation for done."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.latency or self.drop or self.status or self.ends or self.supersedes or not self.links):
            raise ValueError("a fault must do something: latency, drop, status, ends, supersedes or links=false")
        return self

    def meets(self, method: str, path: str) -> bool:
        """Whether a call is one that this fault counts."""
        return fnmatchcase(method.upper(), self.method.upper()) and fnmatchcase(path.lower(), self.path.lower())


class Faults:
    """The orders that stand, and how many calls each has met."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []
        self._met: list[int] = []

    def order(self, fault: Fault) -> None:
        """Add one."""
        self._ordered.append(fault)
        self._met.append(0)

    def clear(self) -> None:
        """Take all orders back."""
        self._ordered.clear()
        self._met.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that is due for a call. Every fault counts the call that it meets."""
        due = None
        for index, fault in enumerate(self._ordered):
            if not fault.meets(method, path):
                continue
            self._met[index] += 1
            late = self._met[index] - fault.nth
            if due is None and late >= 0 and (fault.times == 0 or late < fault.times):
                due = fault
        return due
