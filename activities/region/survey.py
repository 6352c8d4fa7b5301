"""Looks at a pair of Flexible Servers: by Azure's word, by SQL, and by DNS, all at once. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from activities.clients.asking import NO_ANSWER, patiently
from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.ports import BusyError, UnreachableError
from activities.region.models import AzureFact, EndpointFact, FlexibleLook, FlexibleSqlFact, FlexibleSurvey, Role
from activities.run.declare import step
from activities.run.postures import READ_LONG
from estate.flexible import FlexibleTarget

T = TypeVar("T")


class FlexibleLookActivities:
    """The read-only half of ``postgres-region-failover``."""

    def __init__(self, servers: FlexibleServers, sql: FlexibleSql) -> None:
        """Ask Azure by ``servers``, the databases by ``sql``."""
        self._servers, self._sql = servers, sql

    @step("region.survey_database", READ_LONG, lambda request: f"survey {request.target.name}")
    async def survey(self, request: FlexibleLook) -> FlexibleSurvey:
        """Return the pair as it is now. Who does not answer is in it with that."""
        target = request.target
        seen, maintenance = await asyncio.gather(
            self.pair(target), asyncio.gather(*(self._maintenance(target, name) for name in target.database.servers))
        )
        return seen.model_copy(update={"maintenance": tuple(words for announced in maintenance for words in announced)})

    async def pair(self, target: FlexibleTarget) -> FlexibleSurvey:
        """Return the same without what is announced: for who looks often."""
        names = tuple(target.database.servers)
        azure, sql, leads = await asyncio.gather(
            asyncio.gather(*(self._azure(target, name) for name in names)),
            asyncio.gather(*(self._facts(target, name) for name in names)),
            self._leads(target),
        )
        return FlexibleSurvey(
            at=datetime.now(UTC),
            azure=tuple(azure),
            sql=tuple(sql),
            endpoint=await self._endpoint(target, azure, leads),
        )

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await patiently(ask, self._servers.poll)

    async def _azure(self, target: FlexibleTarget, name: str) -> AzureFact:
        try:
            return await self._asked(partial(self._servers.server, target, name))
        except NO_ANSWER as error:
            return AzureFact(name=name, error=str(error))

    async def _leads(self, target: FlexibleTarget) -> EndpointFact:
        fact = await self._sql.endpoint(target)
        return fact if fact.error else fact.model_copy(update={"refuses": await self._sql.serves(target)})

    async def _facts(self, target: FlexibleTarget, name: str) -> FlexibleSqlFact:
        try:
            return await self._sql.facts(target, name)
        except UnreachableError as error:
            return FlexibleSqlFact(name=name, error=str(error), silence=error.silence)

    async def _maintenance(self, target: FlexibleTarget, name: str) -> tuple[str, ...]:
        try:
            return await self._asked(partial(self._servers.maintenance, target, name))
        except NO_ANSWER as error:
            return (f"{name}: whether maintenance is announced is unknown: {error}",)

    async def _endpoint(self, target: FlexibleTarget, azure: list[AzureFact], leads: EndpointFact) -> EndpointFact:
        """Read the endpoint through the primary: Azure keeps it there, and answers 400 through another server."""
        primaries = [one.name for one in azure if one.role is Role.PRIMARY]
        sources = [one.source for one in azure if one.source]
        primary = leads.leads_to if leads.leads_to in primaries else next(iter([*primaries, *sources]), None)
        if primary is None:
            return leads.model_copy(update={"error": leads.error or "Azure names no primary", "silent": True})
        try:
            members = await self._asked(partial(self._servers.endpoint_members, target, primary))
        except NO_ANSWER as error:
            words = "; ".join(said for said in (str(error), leads.error) if said)
            return leads.model_copy(update={"error": words, "silent": isinstance(error, UnreachableError | BusyError)})
        return leads.model_copy(update={"members": members})
