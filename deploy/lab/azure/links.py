"""How a service tells about its operations: at which URLs, which a 200 or 202 names, and in which words.

Resource Manager prescribes the headers and little more. Each service has paths and bodies of its own, and these are the
recorded ones: flexible servers name a status and a result; Front Door a status below the resource group, whose body carries
an ``error`` with the code "None" also when all is well; Application Gateway a status for a change and a result for a
question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.lab.azure.operations import Operation


@dataclass(frozen=True)
class Link:
    """A header, and the path below the namespace that it names."""

    header: str
    pattern: str
    in_group: bool = False
    """Whether the path begins with the resource group of the request."""
    is_status: bool = True
    """Otherwise it answers 202 until there is a result, and then the result."""

    @property
    def action(self) -> str:
        """What a role must contain below the namespace."""
        return "/".join([part for part in self.pattern.split("/") if not part.startswith("{")]) + "/read"


@dataclass(frozen=True)
class Style:
    """One way of telling."""

    links: tuple[Link, ...]
    told: Callable[[Operation], dict[str, Any]]
    """The body of a poll at a status."""
    accepted: Callable[[Operation], Any] = lambda _: None
    """The body of the answer that begins an operation, if its provider gives none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Others, which come with the links."""


def _brief(operation: Operation) -> dict[str, Any]:
    return {"status": operation.status, **operation.error}


FLEXIBLE = Style(
    (
        Link("azure-asyncoperation", "locations/{location}/azureAsyncOperation/{operation}"),
        Link("location", "locations/{location}/operationResults/{operation}", is_status=False),
    ),
    told=lambda one: {"name": one.id, "status": one.status, "startTime": one.start_time, **one.error},
    accepted=lambda one: {"operation": one.kind, "startTime": one.start_time},
)
FRONT_DOOR = Style(
    (Link("azure-asyncoperation", "operationresults/{operation}", in_group=True),),
    told=lambda one: {"status": one.status, **(one.error or {"error": {"code": "None", "message": None}})},
)
NETWORK_CHANGE = Style(
    (Link("azure-asyncoperation", "locations/{location}/operations/{operation}"),),
    told=_brief,
    headers={"azure-asyncnotification": "Enabled"},
)
NETWORK_QUESTION = Style(
    (Link("location", "locations/{location}/operationResults/{operation}", is_status=False),), told=_brief
)
