"""From when on a primary's isolation counts: nobody can have vouched for it, and no clock is trusted but one's own."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.ports import UnreachableError
from activities.clients.systems import Systems
from activities.postgres import fencing
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.transfer import Proof, ProveRequest, Switch
from activities.run.models.lease import Unrenewed
from activities.run.models.wire import RunId
from gate.api import SealCommand, Sealed
from gate.record import NO_SYNC, Mode
from tests.fakes.clients import NoMachines
from tests.postgres.samples import SYSTEM, A, B, C, status, target

_SEEN = Unrenewed(version="77", epoch=5, seconds=29.9)


class _Kubernetes:
    """Its Lease is as it was seen, or has been renewed since, or nobody answers."""

    def __init__(self, version: str = "77", *, silent: bool = False) -> None:
        self.version, self.silent = version, silent
        self.seized: list[tuple[str, int]] = []

    async def seize_lease(self, _: Any, __: str, seen: Unrenewed, candidate: str, epoch: int) -> bool:
        if self.silent:
            raise UnreachableError("the API server does not answer")
        if seen.version == self.version:
            self.seized.append((candidate, epoch))
        return seen.version == self.version


class _Gates:
    """The old primary is silent; the others were asked by it so many seconds ago."""

    def __init__(self, *, says: dict[str, Any] | None = None, **asked: float) -> None:
        self.asked, self.says = asked, says or {}
        self.others: dict[str, float] = {}

    async def fence(self, *_: Any, **__: Any) -> None:
        raise UnreachableError(f"the gate of {A} is not reachable")

    async def seal(self, _: Any, name: str, command: SealCommand) -> Sealed:
        asked = ({A: self.asked[name[-1]]} if name[-1] in self.asked else {}) | self.others
        return Sealed(epoch=command.epoch, promoted=False, status=status(name, asked=asked, **self.says))

    async def status(self, _: Any, name: str, **__: Any) -> Any:
        return status(name)


async def _seconds(
    kubernetes: _Kubernetes, gates: _Gates, seen: Unrenewed | None = _SEEN, *, timeout: str = "PT30S", sync: str = f"{B},{C}"
) -> float:
    """Return how long the proof took."""
    plan = PostgresPlan(
        cluster="orders", mode=Mode.FORCED, primary=A, candidate=B, epoch=5, timeline=3, system_identifier=SYSTEM,
        sync=sync, steps=(), digest="d",
    )  # fmt: skip
    forced = {"proof": ["gate", "isolation"], "isolation_timeout": timeout}
    whole = target()
    cluster = whole.cluster.model_validate({**whole.cluster.model_dump(), "forced": forced})
    switch = Switch(
        target=whole.model_copy(update={"cluster": cluster}),
        plan=plan,
        epoch=6,
        run=RunId(workflow_id="postgres/orders", run_id="1"),
    )
    systems = Systems(cast("Any", None), cast("Any", kubernetes), cast("Any", gates), cast("Any", None))
    request = ProveRequest(switch=switch, unrenewed=seen)
    began = time.monotonic()
    proof = cast("Proof", await ActivityEnvironment().run(fencing.ProveActivities(systems, NoMachines()).prove, request))
    assert proof.kind == "isolation"
    return time.monotonic() - began


async def test_what_a_witness_has_seen_counts_once_the_lease_is_seized() -> None:
    kubernetes = _Kubernetes()
    assert 0.3 < await _seconds(kubernetes, _Gates(b=29.9, c=31.0)) < 1.2
    assert kubernetes.seized == [(B, 6)]


@pytest.mark.parametrize(
    ("kubernetes", "gates", "seen"),
    [
        (_Kubernetes(version="78"), _Gates(b=60.0, c=60.0), _SEEN),
        (_Kubernetes(silent=True), _Gates(b=60.0, c=60.0), _SEEN),
        (_Kubernetes(), _Gates(b=60.0, c=60.0), _SEEN.model_copy(update={"epoch": 4})),
        (_Kubernetes(), _Gates(b=60.0, c=60.0), None),
        (_Kubernetes(), _Gates(b=60.0, c=0.0), _SEEN),
        (_Kubernetes(), _Gates(b=60.0), _SEEN),
    ],
    ids=[
        "renewed since",
        "API server silent",
        "of another epoch",
        "nobody watched",
        "a peer was asked just now",
        "an older gate",
    ],
)
async def test_otherwise_the_whole_time_has_to_pass(kubernetes: _Kubernetes, gates: _Gates, seen: Unrenewed | None) -> None:
    assert await _seconds(kubernetes, gates, seen, timeout="PT1S") > 1.2


async def test_a_peer_that_was_asked_later_than_the_lease_was_renewed_decides() -> None:
    seconds = await _seconds(_Kubernetes(), _Gates(b=29.0, c=60.0))
    assert 1.2 < seconds < 2.2


async def test_the_longest_time_that_any_gate_says_has_to_pass() -> None:
    longer = _Gates(b=0.0, c=0.0, says={"isolation_seconds": 2.0})
    assert 2.2 < await _seconds(_Kubernetes(silent=True), longer, timeout="PT1S") < 4


@pytest.mark.parametrize(
    ("says", "others", "sync"),
    [({"members": (A, B, C, "pg-d")}, {}, B), ({}, {"pg-d": 1.0}, B), ({}, {}, NO_SYNC)],
    ids=["a gate knows another member", "another member asks a gate", "commits wait for nobody"],
)
async def test_silence_proves_nothing(says: dict[str, Any], others: dict[str, float], sync: str) -> None:
    gates = _Gates(b=60.0, c=60.0, says=says)
    gates.others = others
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.5):
            await _seconds(_Kubernetes(), gates, timeout="PT1S", sync=sync)
