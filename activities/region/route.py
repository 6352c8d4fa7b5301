"""Waits until the virtual endpoint leads to the new primary, proven by a write; and measures how clients fare meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from activities.clients.flexible_ports import FlexibleSql
from activities.clients.ports import UnreachableError
from activities.region.models import EndpointFact, FlexibleMeasureRequest, Route, Routed
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.measured import measured
from activities.run.models.measure import Measurement
from activities.run.polling import NotYetError, until
from activities.run.postures import FORWARD, WAIT, lasting
from gate.record import Mode

_EVERY_SECONDS = 0.2
_ROW_WITHIN = timedelta(seconds=3)


class FlexibleRouteActivities:
    """By the name that applications write to."""

    def __init__(self, sql: FlexibleSql) -> None:
        """Write by ``sql``."""
        self._sql = sql

    @step("region.verify_route", lasting(FORWARD, attempt=timedelta(hours=2), within=timedelta(days=1)),
          lambda route: f"wait until writes through the endpoint reach {route.order.server}")  # fmt: skip
    async def verify(self, route: Route) -> Routed:
        """Return once a write through the endpoint was read back from the new primary. Safe to repeat.

        Raises:
            ApplicationError: ``NotVerified``, not within the time; names where the endpoint leads instead.

        """
        target, leader, within = route.order.target, route.order.server, route.within.total_seconds()

        async def led() -> EndpointFact | None:
            fact = await self._sql.endpoint(target)
            if fact.leads_to == leader:
                return fact
            raise NotYetError(fact.error or f"{target.database.writer} leads to {fact.leads_to or fact.addresses}")

        try:
            moved = await until(led, every=_EVERY_SECONDS, within=within)
            moved_at = datetime.now(UTC)
            write = partial(self._sql.verify_write, target, leader)
            written = await until(write, every=_EVERY_SECONDS, within=within, bears=(UnreachableError,))
        except NotYetError as error:
            words = f"no write through {target.database.writer} has reached {leader} within {within:.0f} s: {error}"
            raise refuse(Refusal.NOT_VERIFIED, words) from error
        return Routed(
            leader=leader, at=datetime.now(UTC), name_moved_at=moved_at, address=moved.addresses[0],
            ttl_seconds=moved.ttl_seconds, write_milliseconds=written.milliseconds, timeline=written.timeline,
            refused=written.refused, complete_until=written.complete_until if route.order.mode is Mode.FORCED else None,
        )  # fmt: skip

    @step("region.measure", WAIT, lambda _: "measure outage and loss")
    async def measure(self, request: FlexibleMeasureRequest) -> Measurement:
        """Write until cancelled, then return outage and loss."""
        return await measured(_FlexibleRows(self._sql, request), request.interval)


class _FlexibleRows:
    def __init__(self, sql: FlexibleSql, request: FlexibleMeasureRequest) -> None:
        self._sql, self._target, self._run = sql, request.target, str(request.run)

    async def prepare(self) -> None:
        await self._sql.prepare_rows(self._target)

    async def write(self, row: int) -> None:
        await self._sql.write_row(self._target, self._run, row, within=_ROW_WITHIN)

    async def missing(self, rows: tuple[int, ...]) -> int:
        return await self._sql.missing_rows(self._target, self._run, rows)

    async def remove(self) -> None:
        await self._sql.remove_rows(self._target, self._run)
