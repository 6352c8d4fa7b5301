"""The measuring writer of a PostgreSQL cluster: rows through the write Service."""

from __future__ import annotations

from datetime import timedelta

from activities.clients.ports import Postgres
from activities.clients.systems import Systems
from activities.run.declare import step
from activities.run.measured import measured
from activities.run.models.measure import Measurement, MeasureRequest
from activities.run.postures import WAIT

_ROW_TIMEOUT = timedelta(seconds=1)


class MeasureActivities:
    """Runs beside a switch."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems.postgres`` for every write."""
        self._systems = systems

    @step("postgres.measure", WAIT, lambda _: "measure outage and loss")
    async def measure(self, request: MeasureRequest) -> Measurement:
        """Write until cancelled, then return outage and loss."""
        return await measured(_PostgresRows(self._systems.postgres, request), request.interval)


class _PostgresRows:
    def __init__(self, postgres: Postgres, request: MeasureRequest) -> None:
        self._postgres, self._target, self._run = postgres, request.target, str(request.run)

    async def prepare(self) -> None:
        await self._postgres.prepare_rows(self._target)

    async def write(self, row: int) -> None:
        await self._postgres.write_row(self._target, self._run, row, timeout=_ROW_TIMEOUT)

    async def missing(self, rows: tuple[int, ...]) -> int:
        return await self._postgres.missing_rows(self._target, self._run, rows)

    async def remove(self) -> None:
        await self._postgres.remove_rows(self._target, self._run)
