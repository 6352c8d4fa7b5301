"""Looks at one item of a checklist. Changes nothing; the same look twice is two looks.

An item that cannot be looked at (nobody answers, a secret is missing, an answer that nobody understands) is *not known*,
with the reason, and never done. Which item is meant is looked up in the target that the worker itself knows: whoever
schedules the step chooses no host, no query and no secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from temporalio.exceptions import ApplicationError

from activities.run.declare import step
from activities.run.errors import Refusal, UnreachableError, refuse
from activities.run.models.checks import Looked
from activities.run.models.wire import Wire
from activities.run.postures import READ
from estate.check_items import HumanItem
from estate.checklists import item_of
from estate.drilled import DrillTarget
from estate.flexible import FlexibleTarget
from estate.gateways import GatewayTarget
from estate.nodes import NodeTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.reference import Named
from estate.regions import RegionTarget
from estate.traffic import TrafficTarget
from estate.workloads import WorkloadTarget

Checkable = (
    PostgresTarget
    | FlexibleTarget
    | RegionTarget
    | RedisTarget
    | WorkloadTarget
    | NodeTarget
    | TrafficTarget
    | GatewayTarget
    | DrillTarget
)
_MOST, _LONGEST = 10, 300


class LookRequest(Wire):
    """Look at one item."""

    target: Named[Checkable]
    procedure: str
    key: str


class Look(Protocol):
    """What looks at items of one kind."""

    async def look(self, item: Any, target: Checkable) -> Looked:  # noqa: ANN401 - an item of that kind
        """Return what was seen. UnreachableError: it could not be looked at."""


class ChecklistActivities:
    """Looks at items."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        """Look by ``looks``: kind of item → what looks at it."""
        self._looks = looks

    @step("checklist.look", READ, lambda request: f"look at {request.key} of the checklist")
    async def look(self, request: LookRequest) -> Looked:
        """Return how an item stands now.

        Raises:
            ApplicationError: ``BadInput``; the target's lists have no such item, or only a person can say it.

        """
        item = item_of(request.target.checklists, request.procedure, request.key)
        if item is None or isinstance(item, HumanItem):
            words = f"checklist: {request.target.name} has no item {request.key} that a step looks at"
            raise refuse(Refusal.BAD_INPUT, words)
        try:
            async with asyncio.timeout(item.within.total_seconds()):
                looked = await self._looks[item.kind].look(item, request.target)
        except (UnreachableError, ApplicationError, TimeoutError) as error:
            words = error.message if isinstance(error, ApplicationError) else str(error)
            words = words or f"no answer within {item.within.total_seconds():g} s"
            return Looked(met=None, source="", seen=(words[:_LONGEST],), at=datetime.now(UTC))
        return looked.model_copy(update={"seen": _short(looked.seen)})


def _short(seen: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first sentences, and how many there are more."""
    told = tuple(one[:_LONGEST] for one in seen[:_MOST])
    return (*told, f"and {len(seen) - _MOST} more") if len(seen) > _MOST else told
