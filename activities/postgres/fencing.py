"""Proof that the old primary of a forced failover is stopped, before another one is promoted.

The claim is in the record by now, and that alone stops an old primary which can still read it. What remains is one that
cannot. Every other member is told the claim's epoch first: from then on it vouches for nobody who does not know of it
(``gate.loop.observation``). Then, over and over: the old primary's gate is asked to stop its server at any price. Its answer
is proof. Without one, the time that its watchdog allows it (plus a margin) is proof, if the policy accepts ``isolation`` and
every other member was told; or a person's word, if the policy accepts ``attested``; or the word of the control plane of the
machine that its pod was on when the plan was made, if the policy accepts ``machine``.

That time begins when nobody can have vouched for the old primary any more. For its peers: when they were last asked, as they
say once they have been told. For the API server: with the claim; or earlier, when a watch has seen the record's Lease
unchanged before, and it can be *seized* as it was then: it was not renewed meanwhile and never will be at an earlier epoch.
Only time that one process has counted by itself is added up; clocks are not compared.

Until it stopped, the old primary may have gone on acknowledging writes that another standby than the candidate confirmed.
So the others are asked only then what they have received; where one is silent, all that a clean stop has left is needed.

A step that goes on at another worker counts on from the last heartbeat: it may wait longer than it must, never shorter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio import activity

from activities.clients.ports import GateRefusedError, UnreachableError
from activities.clients.systems import Systems
from activities.nodes.machine_fencing import NodeMachines
from activities.postgres.gate_errors import refused
from activities.postgres.isolation import Isolation
from activities.postgres.models.transfer import Proof, ProveRequest
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.heartbeat import keep_details
from activities.run.models.diagnosis import LIVING
from activities.run.polling import sleep
from activities.run.postures import WAIT
from estate.postgres import ProofKind
from gate.api import FenceCommand, Fenced, ProblemKind, SealCommand
from gate.postgres.lsn import parse_lsn

T = TypeVar("T")
_LAST_CHANCE_SECONDS = 0.4
"""How long an attested old primary gets to stop by itself. Its gate's word is better, and comes at once or not. One that
cannot be asked, since its pod was just deleted, may live on for a moment: a primary's gate reads the claim every 0.15 s."""
_LIVING_CHANCE_SECONDS = 6.0
"""The same for one that lived when it was looked at: its gate may first finish a call of 2 s, and gives the stop 2 s more.
A word that it *is to be* stopped is no proof as long as its gate may be at it."""
_AGAIN_SECONDS = 0.1
_UNHEARD_SECONDS = 10.0
"""How long a standby that a commit may have waited for is given to say what it has received."""
_LOOK_WITHIN = timedelta(seconds=1)


class ProveActivities:
    """Waits for one kind of proof."""

    def __init__(self, systems: Systems, machines: NodeMachines) -> None:
        """Use ``systems.gates`` for every word of a gate."""
        self._systems, self._machines = systems, machines

    @step("postgres.prove", WAIT, lambda request: f"prove that {request.switch.plan.primary} is stopped")
    async def prove(self, request: ProveRequest) -> Proof:
        """Return the first proof that there is. Repeating it changes nothing more; runs until it has one.

        Raises:
            ApplicationError: ``Superseded`` when a gate has seen a later epoch: somebody undid the claim.
                ``CandidateBehind`` when the plan promised no loss, and a standby that could hold more stays silent.

        """
        search = _Search(self._systems, self._machines, request, elapsed=_elapsed_before())
        return await search.until_proved()


def _elapsed_before() -> float:
    details = activity.info().heartbeat_details
    return float(details[0]) if details else 0.0


class _Search:
    """One attempt at it."""

    def __init__(self, systems: Systems, machines: NodeMachines, request: ProveRequest, elapsed: float) -> None:
        self._systems, self._machines, self._request, self._switch = systems, machines, request, request.switch
        self._began = time.monotonic() - elapsed
        self._alone_since: float | None = None if elapsed == 0 else self._began
        """Since when nobody can have vouched for the old primary; ``None`` until every other member was told."""
        self._asked_at: dict[str, float] = {}
        """Member that was told → when the old primary asked it last, at the latest."""
        self._isolation = Isolation(request.switch)
        self._found_at: float | None = None
        self._machine: asyncio.Task[str] | None = None

    async def until_proved(self) -> Proof:
        asking = asyncio.create_task(self._ask_its_gate())
        target, node = self._switch.target, self._request.node
        if node and ProofKind.MACHINE in target.cluster.forced.proof:
            self._machine = asyncio.create_task(self._machines.until_stopped(target.region, node))
        try:
            unvouched = await self._unvouched_before()
            while True:
                await self._tell_the_others(unvouched)
                await asyncio.wait({asking}, timeout=self._patience())
                if (proof := await self._proof(asking.result() if asking.done() else None)) is not None:
                    return proof
                if asking.done():
                    await sleep(_AGAIN_SECONDS)
                    asking = asyncio.create_task(self._ask_its_gate())
                keep_details(self._waited())
        finally:
            asking.cancel()
            if self._machine is not None:
                self._machine.cancel()

    def _patience(self) -> float:
        return _LAST_CHANCE_SECONDS if self._request.attested_by else _AGAIN_SECONDS

    def _chance(self) -> float:
        diagnosis = self._switch.plan.diagnosis
        return _LIVING_CHANCE_SECONDS if diagnosis and diagnosis.condition in LIVING else _LAST_CHANCE_SECONDS

    def _waited(self) -> float:
        return 0.0 if self._alone_since is None else time.monotonic() - self._alone_since

    async def _proof(self, fenced: Fenced | None) -> Proof | None:
        """Return the proof, with what the candidate must have received; ``None`` while one of the two is missing."""
        found = (ProofKind.GATE, "its gate has stopped it and keeps it stopped") if fenced else self._other_means()
        if found is None:
            return None
        try:
            needed = await self._most_received(all_told=fenced is None)
        except UnreachableError as error:
            if fenced is None or not fenced.clean:
                self._must_not_wait_for_ever(found[1], error)
                return None
            needed = fenced.end_lsn
        return Proof(
            kind=found[0],
            words=f"{self._switch.plan.primary}: {found[1]}",
            seconds=time.monotonic() - self._began,
            fenced=fenced,
            at_least_lsn=needed,
        )

    def _must_not_wait_for_ever(self, proof: str, silence: UnreachableError) -> None:
        self._found_at = self._found_at or time.monotonic()
        if time.monotonic() - self._found_at > _UNHEARD_SECONDS:
            plan = self._switch.plan
            raise refuse(
                Refusal.CANDIDATE_BEHIND,
                f"{plan.primary}: {proof}; but {silence}, and it may have confirmed writes that {plan.candidate} lacks."
                " Start again: the new plan says what may be lost, if it stays silent",
            )

    def _other_means(self) -> tuple[ProofKind, str] | None:
        forced, by = self._switch.target.cluster.forced, self._request.attested_by
        had_its_chance = time.monotonic() - self._began > self._chance()
        if by and had_its_chance and ProofKind.ATTESTED in forced.proof:
            return ProofKind.ATTESTED, f"{by} says that it is stopped"
        if self._machine is not None and self._machine.done() and self._machine.exception() is None:
            return ProofKind.MACHINE, self._machine.result()
        if self._all_told and self._isolation.proves(self._waited()):
            words = f"silent for {self._waited():.1f} s: its watchdog has killed it after {self._isolation.timeout}"
            return ProofKind.ISOLATION, words
        return None

    async def _most_received(self, *, all_told: bool) -> str | None:
        """Return how far the other standbys of its history have received WAL by now; ``None``: none says so.

        The candidate gets from them what it lacks (``gate.postgres.catchup``). ``all_told``: none may receive any more.

        Raises:
            UnreachableError: one that a commit may have waited for is silent, or may still confirm commits, and the plan
                had promised no loss.

        """
        plan = self._switch.plan
        names = [name for name in self._others if name not in {plan.candidate, *plan.other_wal}]
        received = [
            one for one in await asyncio.gather(*(self._received(name, told=all_told) for name in names)) if one is not None
        ]
        return max(received, key=parse_lsn, default=None)

    async def _received(self, name: str, *, told: bool) -> str | None:
        plan = self._switch.plan
        is_promised = (plan.lossless or plan.keeps_what_waited) and name in plan.sync.split(",")
        try:
            status = await self._systems.gates.status(self._switch.target, name, timeout=_LOOK_WITHIN)
        except UnreachableError:
            if is_promised:
                raise
            return None
        if status.receive_lsn is None and is_promised:
            raise UnreachableError(f"the gate of {name} answers, and its server does not: {status.doing}")
        if told and is_promised and name not in self._asked_at:
            raise UnreachableError(f"{name} still receives WAL and confirms commits: {status.doing}")
        return status.receive_lsn

    async def _ask_its_gate(self) -> Fenced | None:
        switch, gates = self._switch, self._systems.gates
        command = FenceCommand(epoch=switch.epoch, run=str(switch.run), clean=False)
        return await _answer(gates.fence(switch.target, switch.plan.primary, command))

    async def _unvouched_before(self) -> float:
        """Return for how many seconds before the claim the API server has certainly vouched for nobody."""
        seen, switch = self._request.unrenewed, self._switch
        if seen is None or seen.epoch != switch.plan.epoch or ProofKind.ISOLATION not in switch.target.cluster.forced.proof:
            return 0.0
        service = switch.target.cluster.write_service
        try:
            async with asyncio.timeout(_LOOK_WITHIN.total_seconds()):
                seized = await self._systems.leader_records.seize_lease(
                    switch.target.region, service, seen, switch.plan.candidate, switch.epoch
                )
        except (UnreachableError, TimeoutError):
            return 0.0
        return seen.seconds if seized else 0.0

    @property
    def _others(self) -> list[str]:
        return [name for name in self._switch.target.cluster.members if name != self._switch.plan.primary]

    @property
    def _all_told(self) -> bool:
        """Whether every other member has been told by this attempt, and has said what it knows of isolation."""
        return set(self._others) <= set(self._asked_at)

    async def _tell_the_others(self, unvouched: float) -> None:
        """Let every other member know the claim's epoch; note since when nobody can have vouched."""
        if self._all_told:
            return
        await asyncio.gather(*(self._tell(name) for name in self._others if name not in self._asked_at))
        if self._all_told and self._alone_since is None:
            self._alone_since = max([self._began - unvouched, *self._asked_at.values()])

    async def _tell(self, name: str) -> None:
        switch = self._switch
        command = SealCommand(epoch=switch.epoch, run=str(switch.run), stop_receiving=True)
        sealed = await _answer(self._systems.gates.seal(switch.target, name, command))
        if sealed is not None:
            self._isolation.hear(sealed.status)
            self._asked_at[name] = time.monotonic() - sealed.status.asked.get(switch.plan.primary, 0.0)


async def _answer(command: Awaitable[T]) -> T | None:
    """Return a gate's answer; ``None`` for silence and for a *no* that does not end the search."""
    try:
        return await command
    except UnreachableError:
        return None
    except GateRefusedError as error:
        if error.problem.kind is ProblemKind.STALE_EPOCH:
            raise refused(error) from error
        return None
