"""Looks at the backends of an application gateway: by the gateway's own probes, as Azure tells, and by asking each directly.

Two kinds of evidence must agree. A backend is in trouble when the gateway calls it Down and it does not answer the witness
well; it can be put in again when it is out of the pool and answers well. Where the two disagree, or every backend is in
trouble, no backend is the cause: a person is told, and nothing is begun.

An answer of Azure takes about 5 s, longer than a look may. So it is asked in the background, once for all looks of this
witness, and its last answer counts while it is young. Without one the witness is blind.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from activities.clients.gateway_ports import Backends, Gateways
from activities.clients.ports import BusyError, ForbiddenError, MissingError, RequestRefusedError, UnreachableError
from activities.detection.models import Condition, Finding, Look
from activities.traffic.gateway_models import BackendFact, Direct, GatewayFact, Health
from estate.gateways import Gateway, GatewayTarget

_WITHIN_SECONDS = 2.0
"""For Azure's first answer, and then for the backends'; a look may take four in all."""
_ANSWER_SECONDS = 30.0
_YOUNG_SECONDS = 30.0
"""An answer counts for at least so long."""
_NO_ANSWER = (UnreachableError, BusyError, MissingError, ForbiddenError, RequestRefusedError, TimeoutError)


@dataclass(frozen=True)
class Told:
    """What Azure has told of a gateway."""

    gateway: GatewayFact
    backends: tuple[BackendFact, ...]
    at: float
    """Monotonic: when it was asked."""

    def of(self, address: str) -> BackendFact | None:
        """Return what the gateway says of a backend; ``None``: it does not list it."""
        return next((one for one in self.backends if one.address.casefold() == address.casefold()), None)

    def holds(self, address: str) -> bool:
        """Whether the pool has ``address``."""
        return address.casefold() in {one.casefold() for one in self.gateway.basis.pool}


@dataclass
class _Asking:
    settings: Gateway
    asked: float = float("-inf")
    not_before: float = float("-inf")
    told: Told | None = None
    error: str = "Azure has not answered yet"
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class AzureWords:
    """What Azure says of gateways, kept from look to look."""

    def __init__(self, gateways: Gateways) -> None:
        """Ask ``gateways``."""
        self._gateways = gateways
        self._asking: dict[str, _Asking] = {}

    async def of(self, target: GatewayTarget) -> Told | str:
        """Return what Azure has told last; why nothing counts, where that is so. Asks again when it is time."""
        asking = self._asking.get(target.name)
        if asking is None or asking.settings != target.gateway:
            asking = self._asking[target.name] = _Asking(target.gateway)
        every, now = target.watching.seen_after.total_seconds() / 3, time.monotonic()
        if (asking.task is None or asking.task.done()) and now >= max(asking.asked + every, asking.not_before):
            asking.asked, asking.task = now, asyncio.create_task(self._ask(target, asking))
        if asking.told is None and asking.task is not None:
            await asyncio.wait({asking.task}, timeout=_WITHIN_SECONDS)
        told, oldest = asking.told, max(3 * every, _YOUNG_SECONDS)
        if told is not None and time.monotonic() - told.at <= oldest:
            return told
        return asking.error or f"Azure has told nothing for {oldest:.0f} s"

    async def _ask(self, target: GatewayTarget, asking: _Asking) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                fact, backends = await asyncio.gather(self._gateways.gateway(target), self._gateways.health(target))
        except _NO_ANSWER as error:
            asking.error = str(error) or f"Azure does not answer within {_ANSWER_SECONDS:g} s"
            if isinstance(error, BusyError) and error.after is not None:
                asking.not_before = time.monotonic() + error.after.total_seconds()
        else:
            asking.told, asking.error = Told(fact, backends, asking.asked), ""


class GatewayEye:
    """One witness's eye on one gateway."""

    def __init__(self, words: AzureWords, backends: Backends, target: GatewayTarget) -> None:
        """Ask Azure by ``words``, the servers behind the gateway by ``backends``."""
        self._words, self._backends, self._target = words, backends, target

    async def look(self) -> Look:
        """Return which backends are to be taken out or put in again, and what only a person can see to."""
        told = await self._words.of(self._target)
        if isinstance(told, str):
            return Look(blind=told)
        if why := _unclear(self._target, told):
            return Look(blind=why)
        asked = await asyncio.gather(*(self._ask(told, one) for one in self._target.gateway.backends))
        return Look(findings=tuple(_findings(self._target.name, told, asked)))

    async def _ask(self, told: Told, address: str) -> BackendFact:
        """Return both opinions of a backend."""
        fact = told.of(address) or BackendFact(address=address)
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                direct, answer = await self._backends.ask(self._target, told.gateway, address)
        except TimeoutError:
            direct, answer = Direct.SILENT, f"no answer within {_WITHIN_SECONDS:g} s"
        return fact.model_copy(update={"direct": direct, "answer": answer})


def _unclear(target: GatewayTarget, told: Told) -> str:
    """Return why Azure's answer says nothing of the declared backends; empty: it does."""
    gateway = target.gateway
    if not told.gateway.has_pool:
        return f"{target.name} has no pool {gateway.pool}: correct pool in the estate"
    if not told.gateway.has_settings:
        return f"{target.name} has no settings {gateway.settings}: correct settings in the estate"
    if told.gateway.basis.pool and not told.backends:
        return f"no rule of {target.name} brings pool {gateway.pool} and settings {gateway.settings} together"
    return ""


def _findings(gateway: str, told: Told, backends: list[BackendFact]) -> list[Finding]:
    inside = [one for one in backends if told.holds(one.address)]
    down = [one for one in inside if one.health is Health.DOWN]
    if down and not any(_is_well(one) for one in backends):
        return [_none_is_left(gateway, inside)]
    outside = [one for one in backends if not told.holds(one.address) and one.direct is Direct.GOOD]
    return [
        *(_disputed(one) if one.direct is Direct.GOOD else _down(one) for one in down),
        *(_returned(one) for one in outside),
    ]


def _is_well(one: BackendFact) -> bool:
    return one.health is Health.UP or one.direct is Direct.GOOD


def _down(one: BackendFact) -> Finding:
    condition = Condition.STOPPED if one.direct is Direct.BAD else Condition.SILENT
    return Finding(subject=one.address, condition=condition, words=one.told)


def _returned(one: BackendFact) -> Finding:
    return Finding(subject=one.address, condition=Condition.RETURNED, words=f"asked directly: {one.answer}")


def _disputed(one: BackendFact) -> Finding:
    """Return that the way between the gateway and a backend is broken: the backend itself is well."""
    return Finding(
        subject=f"way to {one.address}",
        condition=Condition.STOPPED,
        words=one.told,
        advice="see the network between gateway and backend, its firewall, and the probe's host name",
    )


def _none_is_left(gateway: str, inside: list[BackendFact]) -> Finding:
    return Finding(
        subject=gateway,
        condition=Condition.STOPPED,
        words=f"EVERY BACKEND IS UNHEALTHY: {'; '.join(one.told for one in inside)}",
        advice="taking all out helps nobody: failover doctor shows what they need",
    )
