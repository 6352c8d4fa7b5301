"""Proves that clients are served from the new region: the edge and DNS are asked again and again, side by side.

Resource Manager says *Succeeded* long before the edge has learnt of a change, and shows nothing of it. The edge is many
places, which learn at different times: one answer proves little, and the proof is a number of answers in a row. The count
begins anew with an answer from elsewhere, and with one that tells nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import activity

from activities.clients.traffic_ports import TrafficClients
from activities.run.declare import step
from activities.run.heartbeat import keep_details
from activities.run.polling import sleep
from activities.run.postures import CHANGE, lasting
from activities.traffic.models import Answer, AwaitServed, NameFact, Proof, Served

_LONG = lasting(CHANGE, attempt=timedelta(hours=13), within=timedelta(hours=26))


class TrafficProofActivities:
    """Asks as clients ask."""

    def __init__(self, clients: TrafficClients) -> None:
        """Ask by ``clients``."""
        self._clients = clients

    @step("traffic.await_served", _LONG, lambda wait: f"wait until clients are served from {wait.to}")
    async def await_served(self, wait: AwaitServed) -> Served:
        """Return what the edge and DNS have answered, once both have given their proof, or the time of one is up."""
        edge, names = self._clients.edge, self._clients.names

        async def of_edge() -> Answer | NameFact:
            return await edge.ask(wait.target)

        async def of_name() -> Answer | NameFact:
            return await names.look(wait.target, wait.name, wait.hosts)

        firsts, failed = _Firsts(), asyncio.Event()
        looks = [_proven(wait, of_edge, wait.edge_until, partial(firsts.of, "edge"), failed)]
        looks += [_proven(wait, of_name, wait.name_until, partial(firsts.of, "name"), failed)] if wait.name else []
        proofs = await asyncio.gather(*looks)
        return Served(at=_now(), edge=proofs[0], name=proofs[1] if wait.name else None)


class _Firsts:
    """When each source gave its first answer from the new region, also to a worker that has died since."""

    def __init__(self) -> None:
        told = activity.info().heartbeat_details
        self._at: dict[str, str] = dict(told[0]) if told else {}
        keep_details(self._at)

    def of(self, source: str, now: datetime | None = None) -> datetime | None:
        """Return it, which is ``now`` if there was none before."""
        if now is not None and source not in self._at:
            self._at[source] = now.isoformat()
        return datetime.fromisoformat(self._at[source]) if source in self._at else None


async def _proven(
    wait: AwaitServed,
    ask: Callable[[], Awaitable[Answer | NameFact]],
    until: datetime,
    first: Callable[[datetime | None], datetime | None],
    failed: asyncio.Event,
) -> Proof:
    """Ask until so many answers in a row came from the region, or the time is up; or the other source has ``failed``.

    A row that has begun is followed to its end: it may have begun late since no worker was there.
    """
    thresholds = wait.target.entry.thresholds
    proof, since, row = Proof(first_at=first(None)), None, 0
    while True:
        asked_at, answer = _now(), await ask()
        proof = proof.model_copy(update={"answers": proof.answers + 1})
        if isinstance(answer, NameFact):
            proof = proof.model_copy(update={"ttl_seconds": answer.ttl_seconds})
        if answer.region == wait.to and not answer.error:
            since, row = since or asked_at, row + 1
            proof = proof.model_copy(update={"first_at": first(asked_at)})
        else:
            since, row = None, 0
            proof = proof.model_copy(update={"last": answer.error or f"it came from {answer.region}"})
        if row >= thresholds.answers_in_a_row:
            return proof.model_copy(update={"all_from": since})
        if _now() >= until and row == 0:
            failed.set()
            return proof
        if failed.is_set():
            return proof.model_copy(update={"stopped": True})
        await sleep(thresholds.ask_every.total_seconds())


def _now() -> datetime:
    return datetime.now(UTC)
