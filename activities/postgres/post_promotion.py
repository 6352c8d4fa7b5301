"""What follows the change of route: proof by a write, applications over, redundancy back."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from activities.clients.ports import ForbiddenError, MissingError, Rollout, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.applications import wrote
from activities.postgres.claim import current_record
from activities.postgres.gate_errors import obeyed
from activities.postgres.models.post_promotion import (
    Evicted,
    FirstWrite,
    FirstWriteRequest,
    FollowRequest,
    Reconnected,
    ReconnectRequest,
    Redundancy,
    Verified,
)
from activities.postgres.models.transfer import Switch
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.models.diagnosis import Silence
from activities.run.polling import sleep
from activities.run.postures import CHANGE, FORWARD, INSIST, READ, READ_LONG
from estate.postgres import Reconnect
from gate.api import SYNCHRONOUS, Role, ServerState
from gate.loop.pause import is_paused, pause_words
from gate.record import Record

_LOOK_EVERY_SECONDS, _HINDERED_SECONDS = 0.1, 1.0
_TRY_AGAIN = timedelta(milliseconds=50)
_LOOK_WITHIN = timedelta(seconds=1)
_WRITES_WITHIN = timedelta(seconds=30)
_LISTED_WITHIN_SECONDS = 10.0
"""Twice the time for which a gate watches a standby that comes before commits wait for that one too."""
_IDLE_SECONDS = 5.0
"""An application that did not write before either is given a moment, and the time that its restart takes."""
_TAKEN_UP_SECONDS = 10.0
"""A kubelet takes up a new pod within a second or two. A dead one never does, and Kubernetes needs minutes to see it."""


class AftermathActivities:
    """Verify, reconnect, wait for redundancy."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look."""
        self._systems = systems

    @step("postgres.verify", INSIST, lambda switch: f"verify by a write to {switch.plan.candidate}")
    async def verify(self, switch: Switch) -> Verified:
        """Write through the write Service until the new leader, and nobody else, has answered a write.

        Retried until it holds. A refusal by the new leader itself is an answer: asking again would not change it, and it
        must not keep applications from being brought over.
        """
        leader, target = switch.plan.candidate, switch.target
        endpoints = await self._systems.kubernetes.endpoints(target.region, target.cluster.write_service)
        if endpoints != (leader,):
            raise retry_in(_TRY_AGAIN, f"behind the write Service stands {endpoints or 'nobody'}, not yet {leader}")
        try:
            verified = await self._systems.postgres.verify_write(target, leader)
        except UnreachableError as error:
            full = f"{leader} has no connection slot free: " if error.silence is Silence.NO_ROOM else ""
            raise retry_in(_TRY_AGAIN, f"{full}{error}") from error
        return verified.model_copy(update={"endpoints": endpoints})

    @step(
        "postgres.await_disconnects",
        READ,
        lambda switch: f"no session left on {switch.plan.primary}",
        formerly="postgres.evict",
    )
    async def await_disconnects(self, switch: Switch) -> Evicted:
        """Return once no client of an application has a session on the old primary, or nobody can look. Changes nothing.

        A stopped server has none; one that is back as a standby has none either while it turns applications away, and
        those that it lets in afterwards are readers. A server that nobody reaches cannot be asked: then the words say so,
        and the applications' restart is what takes them away from it.

        Raises:
            UnreachableError: retried; its gate answers and its server does not, yet.

        """
        old, target = switch.plan.primary, switch.target
        try:
            status = await self._systems.gates.status(target, old, timeout=_LOOK_WITHIN)
        except UnreachableError as error:
            return Evicted(member=old, ended=None, remaining=None, words=f"{old} cannot be asked: {error}")
        if status.server is ServerState.STOPPED or status.role is Role.STANDBY:
            kind = "is stopped" if status.server is ServerState.STOPPED else "has been stopped and is a standby now"
            return Evicted(
                member=old, ended=status.sessions_ended, remaining=0, words=f"{old} {kind}: no session outlived that"
            )
        if status.role is None:
            raise retry_in(_TRY_AGAIN, f"{old} is {status.server}")
        left = len(await self._systems.postgres.sessions(target, old))
        raise retry_in(_TRY_AGAIN, f"{old} still runs as primary with {left} sessions: its gate stops it")

    @step("kubernetes.reconnect", FORWARD, lambda request: f"reconnect {request.application.deployment}")
    async def reconnect(self, request: ReconnectRequest) -> Reconnected:
        """Restart the application's pods one by one where the estate says so, and wait until all are ready.

        The restart is marked with the run: repeating the step waits for the restart that was begun. One that waits for a
        node which does not take up its pods goes on without us once the application writes, and the answer says so.

        Raises:
            ApplicationError: ``NotVerified`` when the pods are not ready ``ready_within`` after the route moved, when
                there is no such Deployment or when we may not restart it; ``BadInput`` when the estate lists no such
                application of this cluster.

        """
        listed = request.switch.target.cluster.applications
        if request.application not in listed:
            known = ", ".join(one.deployment for one in listed) or "none"
            raise refuse(
                Refusal.BAD_INPUT, f"application: {request.application.deployment} is none of the cluster's: {known}"
            )
        try:
            return await self._reconnect(request)
        except (MissingError, ForbiddenError) as error:
            raise refuse(Refusal.NOT_VERIFIED, str(error)) from error

    async def _reconnect(self, request: ReconnectRequest) -> Reconnected:
        application, region = request.application, request.switch.target.region
        started, restart = time.monotonic(), request.must_restart or application.reconnect is Reconnect.ROLLOUT
        if restart:
            mark = f"{request.switch.run}@{request.switch.epoch}"
            await self._systems.kubernetes.restart_deployment(region, application.deployment, mark)
        while True:
            rollout = await self._systems.kubernetes.deployment_progress(region, application.deployment)
            seconds = time.monotonic() - started
            waits = "" if rollout.done else await self._waits_for(request, rollout, seconds)
            if rollout.done or waits:
                return Reconnected(
                    deployment=application.deployment,
                    restarted=restart,
                    ready=rollout.ready,
                    wanted=rollout.wanted,
                    seconds=seconds,
                    note=waits or await self._idleness(request),
                )
            waited = (datetime.now(UTC) - request.since).total_seconds()
            if waited > application.ready_within.total_seconds():
                words = f"has {rollout.ready} of {rollout.wanted} pods ready after {waited:.0f} s"
                why = f"; it {rollout.hindrance}" if rollout.hindrance else ""
                raise refuse(Refusal.NOT_VERIFIED, f"Deployment {application.deployment} {words}{why}")
            await sleep(_HINDERED_SECONDS if rollout.hindrance else _LOOK_EVERY_SECONDS)

    async def _waits_for(self, request: ReconnectRequest, rollout: Rollout, seconds: float) -> str:
        """Return what the restart of an application that writes already waits for, and that no waiting of ours brings about.

        Empty when there is no such thing. One that does not write yet may hang on a connection that only a restart ends.
        """
        deployment, switch = request.application.deployment, request.switch
        if seconds < _TAKEN_UP_SECONDS and not rollout.paused:  # which only a person ends
            return ""
        if rollout.hindrance:
            return f"LEFT TO DO: it {rollout.hindrance}" if await self._wrote(switch, deployment) else ""
        try:
            untaken = await self._systems.kubernetes.untaken_pods(switch.target.region, deployment)
        except (UnreachableError, MissingError, ForbiddenError):
            return ""
        if not untaken or not await self._wrote(switch, deployment):
            return ""
        where = ", ".join(f"{pod} on {node}" for pod, node in sorted(untaken.items()))
        return f"its restart waits for a node that does not answer ({where}) and goes on without this run"

    async def _idleness(self, request: ReconnectRequest) -> str:
        """Return why an application that is back has not written: it did not before, either."""
        deployment, switch = request.application.deployment, request.switch
        if deployment not in switch.plan.idle or await self._wrote(switch, deployment):
            return ""
        return "no client asked it to write, before the move or since"

    @step("postgres.first_write", READ_LONG, lambda request: f"{request.deployment} writes again")
    async def first_write(self, request: FirstWriteRequest) -> FirstWrite:
        """Return when a session of one of the application's pods has written on the new primary. Changes nothing.

        Seen in ``pg_stat_activity``: a transaction that writes now, or a session whose last statement was a write. An
        application that writes nothing within ``_WRITES_WITHIN`` is not in trouble for that; the answer says so. One that
        did not write before the move, either, is not waited for longer than its restart takes.
        """
        switch, began = request.switch, time.monotonic()
        while time.monotonic() - began < _WRITES_WITHIN.total_seconds():
            ago, passed = await self._wrote(switch, request.deployment), (datetime.now(UTC) - request.since).total_seconds()
            since_then = [passed - one for one in ago if one <= passed]
            if since_then:
                return FirstWrite(deployment=request.deployment, seconds=min(since_then))
            idle = request.deployment in switch.plan.idle and time.monotonic() - began >= _IDLE_SECONDS
            if idle and await self._is_back(switch, request.deployment):
                break
            await sleep(_LOOK_EVERY_SECONDS)
        return FirstWrite(deployment=request.deployment, seconds=None)

    async def _is_back(self, switch: Switch, deployment: str) -> bool:
        try:
            return (await self._systems.kubernetes.deployment_progress(switch.target.region, deployment)).done
        except (UnreachableError, MissingError, ForbiddenError):
            return False

    async def _wrote(self, switch: Switch, deployment: str) -> list[float]:
        """Return how many seconds ago each of the application's sessions wrote, as far as one can see."""
        try:
            return await wrote(self._systems, switch.target, switch.plan.candidate, deployment)
        except (UnreachableError, MissingError, ForbiddenError):
            return []

    @step("postgres.rejoin", CHANGE, lambda request: f"ask {request.member} to follow {request.leader}")
    async def rejoin(self, request: FollowRequest) -> None:
        """Ask the member's gate to look at the record now and follow the leader. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``Superseded`` when the gate has seen a later epoch.
        """
        await obeyed(self._systems.gates.rejoin(request.target, request.member, request.epoch, str(request.run)))

    @step("postgres.await_redundancy", FORWARD, lambda request: f"{request.member} follows {request.leader}")
    async def await_redundancy(self, request: FollowRequest) -> Redundancy:
        """Return once the old primary follows the new one and commits wait for a standby, as the record says.

        With more than two members that may be another standby than the old primary; ``sync_state`` tells. A member that was
        asked to follow is given a moment to come into the record's list itself. The gates do the work by themselves; this
        only watches. While automatic rejoin is paused there is nothing to watch: then the answer says so, with
        ``sync_state`` absent.

        Raises:
            ApplicationError: ``Superseded`` when another member leads meanwhile.

        """
        leader, member, since = request.leader, request.member, request.since or datetime.now(UTC)
        streams_since = None
        while True:
            record = await current_record(self._systems, request.target)
            if record.leader != leader:
                raise refuse(Refusal.SUPERSEDED, f"{record.leader} leads now, no longer {leader}")
            status = await self._systems.gates.status(request.target, leader)
            states = {row.member: row.sync_state for row in status.followers if row.state == "streaming"}
            redundant = any(states.get(name) in SYNCHRONOUS for name in record.sync_members)
            seconds = max((datetime.now(UTC) - since).total_seconds(), 0.0)
            streams_since = (streams_since or time.monotonic()) if member in states else None
            comes = request.asked_for and member not in record.sync_members
            if redundant and streams_since and not (comes and time.monotonic() - streams_since < _LISTED_WITHIN_SECONDS):
                return Redundancy(member=member, sync_state=states[member], seconds=seconds)
            if is_paused(record, datetime.now(UTC)) and not request.asked_for and member not in states:
                return Redundancy(member=member, sync_state="absent", seconds=seconds, note=_held(request, record))
            await sleep(_LOOK_EVERY_SECONDS)


def _held(request: FollowRequest, record: Record) -> str:
    return (
        f"NOT REDUNDANT: {request.member} stays stopped, automatic rejoin is {pause_words(record)}; bring it back:"
        f" failover start postgres-rejoin {request.target.name} --member {request.member} --by YOU"
    )
