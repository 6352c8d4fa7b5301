"""Puts what this worker knows of a target in the place of what a step was sent, whatever that was.

It stands in front of every step, so that none can forget it: a step acts on targets of the worker's own inventory, or not.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.run.inventory import Inventory
from estate.base import Target


class OwnTargets(Interceptor):
    """Worker interceptor; give it to every worker, behind the heartbeat."""

    def __init__(self, inventory: Inventory) -> None:
        """Know what ``inventory`` knows."""
        self._inventory = inventory

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - SDK's name
        """Wrap each step."""
        return _Filling(next, self._inventory)


class _Filling(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, inventory: Inventory) -> None:
        super().__init__(following)
        self._inventory = inventory

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - SDK's signature
        input.args = [await self._filled(value) for value in input.args]
        return await super().execute_activity(input)

    async def _filled(self, value: Any) -> Any:  # noqa: ANN401 - whatever a step is told
        """Return ``value`` with our own targets. ApplicationError: ``BadInput``, one is not ours."""
        if isinstance(value, Target):
            return await self._inventory.whole(value)
        if isinstance(value, tuple | list):
            return type(value)([await self._filled(one) for one in value])
        if isinstance(value, dict):
            return {key: await self._filled(one) for key, one in value.items()}
        if not isinstance(value, BaseModel):
            return value
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        filled = {name: await self._filled(field) for name, field in fields.items()}
        changed = {name: field for name, field in filled.items() if field is not fields[name] and field != fields[name]}
        return value.model_copy(update=changed) if changed else value
