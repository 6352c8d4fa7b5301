"""Looks at an application gateway: by Azure's word, by its own probes, and by asking its backends. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from activities.clients.gateway_ports import Backends, Gateways
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.run.declare import step
from activities.run.polling import NotYetError, until
from activities.run.postures import READ_LONG
from activities.traffic.gateway_models import BackendFact, GatewayFact, GatewayLook, GatewaySurvey
from estate.gateways import GatewayTarget

T = TypeVar("T")
_ANSWER_SECONDS = 25.0
"""Of which a question for the backends' health takes about 5 s."""
SILENT = (UnreachableError, BusyError)
NO_ANSWER = (*SILENT, MissingError, ForbiddenError, RequestRefusedError, NotYetError)
"""What a look may meet: it is part of what was seen."""


class GatewayLookActivities:
    """The read-only half of ``gateway-failover``."""

    def __init__(self, gateways: Gateways, backends: Backends) -> None:
        """Ask Azure by ``gateways``, the servers behind one by ``backends``."""
        self._gateways, self._backends = gateways, backends

    @step("gateway.survey", READ_LONG, lambda request: f"survey {request.target.name}")
    async def survey(self, request: GatewayLook) -> GatewaySurvey:
        """Return gateway and backends as they are now. Who does not answer is in it with that."""
        target = request.target
        fact, (health, error) = await asyncio.gather(self._gateway(target), self._health(target))
        listed = {one.address.casefold(): one for one in health}
        pool = fact.basis.pool
        absent = [one for one in target.gateway.backends if one.casefold() not in {each.casefold() for each in pool}]
        known = [listed.get(one.casefold(), BackendFact(address=one)) for one in (*pool, *absent)]
        asked = await asyncio.gather(*(self._direct(target, fact, one) for one in known))
        return GatewaySurvey(at=datetime.now(UTC), gateway=fact, backends=tuple(asked), health_error=error)

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return an answer of Azure, which may be silent or busy for a moment."""
        return await until(ask, every=self._gateways.poll.total_seconds(), within=_ANSWER_SECONDS, bears=SILENT)

    async def _gateway(self, target: GatewayTarget) -> GatewayFact:
        try:
            return await self._asked(partial(self._gateways.gateway, target))
        except NO_ANSWER as error:
            return GatewayFact(error=str(error) or f"Azure does not answer within {_ANSWER_SECONDS:g} s")

    async def _health(self, target: GatewayTarget) -> tuple[tuple[BackendFact, ...], str]:
        try:
            return await self._asked(partial(self._gateways.health, target)), ""
        except NO_ANSWER as error:
            return (), str(error) or f"Azure does not answer within {_ANSWER_SECONDS:g} s"

    async def _direct(self, target: GatewayTarget, fact: GatewayFact, backend: BackendFact) -> BackendFact:
        direct, answer = await self._backends.ask(target, fact, backend.address)
        return backend.model_copy(update={"direct": direct, "answer": answer})
