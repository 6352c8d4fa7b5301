"""Who is measured: our own platform, and Patroni beside it on the same cluster.

A contestant says when it is whole, who leads, where its writes go, and what follows a fault. There they differ: Patroni
acts by itself; ours is told to go ahead at once by a policy that asks nobody, again as long as it refuses.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from faults import Pods
from patroni_cluster import PatroniCluster
from temporalio.client import Client

from activities.postgres.models.transfer import Proof
from activities.run.models.report import Outcome
from deploy.lab.estate import changed_estate
from deploy.lab.load_data import LoadSettings
from deploy.lab.measuring import platform_settings
from deploy.lab.names import Lab, LabError
from deploy.lab.processes import wait_until
from deploy.lab.switching import CLUSTER, OPERATOR, ending, start
from deploy.lab.workload import MEMBERS, annotation
from starters.history.model import Facts
from starters.history.parse import chronicle_of
from workflows.postgres.models import lock_id
from workflows.run.models import TASK_QUEUE, plan_id

_WHOLE_WITHIN = 240
_ACCEPTED_WITHIN = 120
_ENDED_WITHIN = 420
_NAMES_FORGOTTEN_SECONDS = 6
"""Until nobody remembers the address of a pod that was deleted."""


class Contestant(Protocol):
    """One row of the comparison."""

    name: str
    pods: Pods

    @property
    def rhythm(self) -> int:
        """Return the seconds after which it looks again by itself: faults are spread over them."""

    def leader(self) -> str:
        """Return the member that leads."""

    def target(self) -> LoadSettings:
        """Return where the writer goes."""

    async def until_whole(self) -> None:
        """Return once it is redundant, and no restart of its pods slows the next one down."""

    async def switch(self) -> dict[str, Any]:
        """Do a planned switch; return what is worth noting."""

    async def go_on(self) -> dict[str, Any]:
        """Do what follows a fault; return what is worth noting."""


@dataclass
class Patroni:
    """Patroni with one set of timings."""

    name: str
    cluster: PatroniCluster
    pods: Pods
    timings: dict[str, int]
    former_loop: int
    """The longest ``loop_wait`` in this benchmark: for so long members may go by their former timings."""

    @property
    def rhythm(self) -> int:
        """Return its ``loop_wait``."""
        return self.timings["loop_wait"]

    def leader(self) -> str:
        """Return the holder of the leader key."""
        return self.cluster.leader()

    def target(self) -> LoadSettings:
        """Return its Service and its members."""
        return LoadSettings(
            write_address=self.cluster.address(),
            members=self.pods.addresses(),
            password=self.cluster.password,
            run=secrets.token_hex(4),
        )

    async def until_whole(self) -> None:
        """Also give it its timings, and the time to take them up."""
        await _whole_and_fresh(self.name, self.cluster.sound, self.pods)
        await asyncio.to_thread(self.cluster.configure, **self.timings)
        await asyncio.sleep(self.former_loop + 1)

    async def switch(self) -> dict[str, Any]:
        """Run ``patronictl switchover``."""
        await asyncio.to_thread(self.cluster.switchover)
        return {}

    async def go_on(self) -> dict[str, Any]:
        """Do nothing: it acts by itself."""
        return {}


@dataclass
class Ours:
    """Our own, with or without a person who says at once that the old primary is stopped."""

    name: str
    client: Client
    pods: Pods
    attested: bool

    @property
    def rhythm(self) -> int:
        """Return 0: it acts when it is told to."""
        return 0

    def leader(self) -> str:
        """Return the leader of the record."""
        return annotation(self.pods.lab, self.pods.binaries, "leader")

    def target(self) -> LoadSettings:
        """Return the write Service and the members; nobody calls the sample API, since Patroni has none."""
        return platform_settings(self.pods.lab, self.pods.binaries).model_copy(update={"api_address": "", "token": ""})

    async def until_whole(self) -> None:
        """Also wait until a plan is made and not refused."""
        await _whole_and_fresh(self.name, self._redundant, self.pods)
        for workload in ("deployment/failover-worker", "deployment/api-deployment"):
            await asyncio.to_thread(self.pods.kubectl, "rollout", "status", workload, f"--timeout={_WHOLE_WITHIN}s")
        async with asyncio.timeout(_WHOLE_WITHIN):
            while (await self._plan()).outcome is not Outcome.DRY_RUN:
                await asyncio.sleep(0.5)

    def _redundant(self) -> bool:
        lab, binaries = self.pods.lab, self.pods.binaries
        return annotation(lab, binaries, "sync") in MEMBERS and not annotation(lab, binaries, "intent")

    async def _plan(self) -> Facts:
        asked = {"cluster": CLUSTER, "mode": "planned"}
        handle = await self.client.start_workflow(
            "postgres-failover", asked, id=plan_id(lock_id(CLUSTER)), task_queue=TASK_QUEUE
        )
        return await ending(handle)

    async def switch(self) -> dict[str, Any]:
        """Start a planned failover."""
        return _noted(await ending(await start(self.client, by=OPERATOR, reason="benchmark")))

    async def go_on(self) -> dict[str, Any]:
        """Start a forced failover, and again as long as it is refused: a refusal has changed nothing."""
        began, refusals = time.monotonic(), []
        while True:
            accepted = time.monotonic() - began
            handle = await start(self.client, mode="forced", attest=self.attested, by=OPERATOR, reason="benchmark")
            facts = await ending(handle, within=_ENDED_WITHIN)
            if facts.outcome is not Outcome.REFUSED or accepted > _ACCEPTED_WITHIN:
                break
            refusals.append(f"{facts.refusal}: {facts.reason}")
        history = await handle.fetch_history()
        proof = chronicle_of(history.events, handle.id).result_of("postgres.prove", Proof)
        noted = _noted(facts) | {"refused": refusals, "accepted_after": round(accepted, 3)}
        return noted | ({"proof": proof.words, "proof_seconds": round(proof.seconds, 3)} if proof else {})


def _noted(facts: Facts) -> dict[str, Any]:
    """Return the phases' seconds.

    Raises:
        LabError: the run did not complete; carries its own words.
    """
    if facts.outcome is not Outcome.COMPLETED:
        raise LabError(f"the failover ended as {facts.outcome}: {facts.reason}")
    return {"phases": {row.phase.value: round(row.seconds, 3) for row in facts.timing.phases}}


async def _whole_and_fresh(name: str, whole: Callable[[], bool], pods: Pods) -> None:
    await asyncio.to_thread(wait_until, f"{name} whole", whole, _WHOLE_WITHIN)
    while await asyncio.to_thread(pods.replace_restarted):
        await asyncio.sleep(_NAMES_FORGOTTEN_SECONDS)
        await asyncio.to_thread(wait_until, f"{name} whole", whole, _WHOLE_WITHIN)


def nobody_to_ask(lab: Lab, binaries: Path) -> AbstractContextManager[None]:
    """Let the estate ask nobody for approval inside the block."""

    def change(estate: dict[str, Any]) -> None:
        for cluster in estate["postgres"].values():
            cluster.pop("approvals", None)

    return changed_estate(lab, binaries, change)
