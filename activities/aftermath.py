"""What follows the change of route: proof by a write, applications over, redundancy back."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.claim import current_record
from activities.clients.ports import ForbiddenError, GateRefusedError, MissingError, UnreachableError
from activities.errors import Refusal, refuse, retry_in
from activities.gatewords import refused
from activities.models import FollowRequest, Reconnected, ReconnectRequest, Redundancy, Switch, Verified
from activities.systems import Systems
from estate.model import Reconnect

_SYNCHRONOUS = {"sync", "quorum"}
_LOOK_EVERY_SECONDS = 0.1
_TRY_AGAIN = timedelta(milliseconds=50)


class AftermathActivities:
    """Verify, reconnect, wait for redundancy."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look."""
        self._systems = systems

    @activity.defn(name="postgres.verify")
    async def verify(self, switch: Switch) -> Verified:
        """Write through the write Service until the new leader, and nobody else, has taken a write.

        Leaves nothing behind. Retried until it holds.
        """
        leader, target = switch.plan.candidate, switch.target
        endpoints = await self._systems.kubernetes.endpoints(target.region, target.cluster.write_service)
        if endpoints != (leader,):
            raise retry_in(_TRY_AGAIN, f"behind the write Service stands {endpoints or 'nobody'}, not yet {leader}")
        try:
            verified = await self._systems.postgres.verify_write(target, leader)
        except UnreachableError as error:
            raise retry_in(_TRY_AGAIN, str(error)) from error
        return verified.model_copy(update={"endpoints": endpoints})

    @activity.defn(name="kubernetes.reconnect")
    async def reconnect(self, request: ReconnectRequest) -> Reconnected:
        """Restart the application's pods one by one where the estate says so, and wait until all are ready.

        The restart is marked with the run: repeating the step waits for the restart that was begun.

        Raises:
            ApplicationError: ``NotVerified`` when the pods are not ready within the application's ``ready_within``, when
                there is no such Deployment or when we may not restart it.

        """
        try:
            return await self._reconnect(request)
        except (MissingError, ForbiddenError) as error:
            raise refuse(Refusal.NOT_VERIFIED, str(error)) from error

    async def _reconnect(self, request: ReconnectRequest) -> Reconnected:
        application, region = request.application, request.switch.target.region
        started, restart = time.monotonic(), application.reconnect is Reconnect.ROLLOUT
        if restart:
            mark = f"{request.switch.run}@{request.switch.epoch}"
            await self._systems.kubernetes.restart_deployment(region, application.deployment, mark)
        while True:
            ready, wanted, done = await self._systems.kubernetes.deployment_progress(region, application.deployment)
            seconds = time.monotonic() - started
            if done:
                return Reconnected(
                    deployment=application.deployment, restarted=restart, ready=ready, wanted=wanted, seconds=seconds
                )
            if seconds > application.ready_within.total_seconds():
                raise refuse(
                    Refusal.NOT_VERIFIED,
                    f"Deployment {application.deployment} has {ready} of {wanted} pods ready after {seconds:.0f} s",
                )
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    @activity.defn(name="postgres.rejoin")
    async def rejoin(self, request: FollowRequest) -> None:
        """Ask the member's gate to look at the record now and follow the leader. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``Superseded`` when the gate has seen a later epoch.
        """
        try:
            await self._systems.gates.rejoin(request.target, request.member, request.epoch, str(request.run))
        except GateRefusedError as error:
            raise refused(error) from error

    @activity.defn(name="postgres.await_redundancy")
    async def await_redundancy(self, request: FollowRequest) -> Redundancy:
        """Return once the old primary follows the new one and commits wait for a standby, as the record says.

        With more than two members that may be another standby than the old primary; ``sync_state`` tells. The gates do
        the work by themselves; this only watches.

        Raises:
            ApplicationError: ``Superseded`` when another member leads meanwhile.

        """
        leader, member, since = request.leader, request.member, request.since or datetime.now(UTC)
        while True:
            record = await current_record(self._systems, request.target)
            if record.leader != leader:
                raise refuse(Refusal.SUPERSEDED, f"{record.leader} leads now, no longer {leader}")
            status = await self._systems.gates.status(request.target, leader)
            states = {row.member: row.sync_state for row in status.followers if row.state == "streaming"}
            redundant = any(states.get(name) in _SYNCHRONOUS for name in record.sync_members)
            if redundant and member in states:
                seconds = (datetime.now(UTC) - since).total_seconds()
                return Redundancy(member=member, sync_state=states[member], seconds=max(seconds, 0.0))
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
