"""The steps of a switch that act on servers, each through the server's gate.

Every command carries the claim's epoch, and a gate ignores an epoch below the highest it has seen. So a step that is run
twice, or by a worker that was frozen and wakes up after the undo, changes nothing more.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from activities.clients.ports import GateRefusedError, UnknownCommandError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.gate_errors import obeyed, refused
from activities.postgres.models.transfer import PromoteRequest, Quiet, Switch
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.polling import AttemptClock, NotYetError, sleep, until
from activities.run.postures import CHANGE, CHANGE_SOON, CHANGE_UNHURRIED
from gate.api import (
    FenceCommand,
    Fenced,
    GateStatus,
    ProblemKind,
    PromoteCommand,
    Promoted,
    RevertCommand,
    Role,
    ServerState,
)
from gate.record import Mode

_CANDIDATE_ANSWERS_WITHIN = timedelta(seconds=2)
_STOPS_WITHIN, _LEADS_WITHIN = timedelta(seconds=30), timedelta(seconds=60)
_PASSING = {ProblemKind.NOT_STANDBY, ProblemKind.NOT_SERVING}
"""Of a standby that is there: asked again in a moment, it may answer otherwise. That the API server is away is no fault of
the candidate's, and keeps an undo from writing the record, too: then the whole step is tried again."""
_ASK_AGAIN_SECONDS = 0.05
_QUIET_AT_MOST_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.1


class SwitchActivities:
    """Checkpoint, fence, promote."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems.gates`` for every command."""
        self._systems = systems

    @step("postgres.checkpoint", CHANGE_UNHURRIED, lambda switch: f"checkpoint {switch.plan.primary}")
    async def checkpoint(self, switch: Switch) -> GateStatus:
        """CHECKPOINT on the old primary while it still takes writes, so that the stop is short.

        Raises:
            ApplicationError: ``NoPrimary``, ``Superseded``.

        """
        primary, run = switch.plan.primary, str(switch.run)
        return await obeyed(self._systems.gates.checkpoint(switch.target, primary, switch.epoch, run))

    @step("kubernetes.await_quiet", CHANGE_SOON, lambda _: "wait until no endpoint changes")
    async def await_quiet(self, switch: Switch) -> Quiet:
        """Wait, while writes still flow, until no endpoint has changed or is about to; give up after a few seconds.

        A route that is changed right after another endpoint waits for kube-proxy's next round, up to a second, and writes
        would stand still for it. Changes nothing.
        """
        clock, wanted = asyncio.get_running_loop().time, switch.target.cluster.thresholds.quiet.total_seconds()
        began = changed = clock()
        seen = await self._systems.kubernetes.endpoints_version(switch.target.region)
        while clock() - changed < wanted and clock() - began < wanted + _QUIET_AT_MOST_SECONDS:
            await sleep(_LOOK_EVERY_SECONDS)
            now = await self._systems.kubernetes.endpoints_version(switch.target.region)
            if now is None or now != seen:
                seen, changed = now, clock()
        return Quiet(reached=clock() - changed >= wanted, seconds=clock() - began)

    @step("postgres.fence", CHANGE, lambda switch: f"fence {switch.plan.primary}")
    async def fence(self, switch: Switch) -> Fenced:
        """Stop the old primary cleanly, keep it stopped, and see that the candidate could lead now.

        The candidate is looked at before and after: that it has died, or could not come to the end of a promotion, must be
        noticed while the way back is short. That of a discard is no standby: it is stopped, and its directory has not been
        touched.

        Raises:
            ApplicationError: ``UncleanStop``, ``NoPrimary``, ``Superseded``, ``CandidateFailed``, ``CandidateBehind``.

        """
        clock, plan = AttemptClock(), switch.plan
        await self._candidate_stands(switch)
        command = FenceCommand(
            epoch=switch.epoch,
            run=str(switch.run),
            wait_for=() if plan.mode is Mode.DISCARD else (plan.candidate,),
            timeout_seconds=clock.left(_STOPS_WITHIN).total_seconds(),
        )
        fenced = await obeyed(self._systems.gates.fence(switch.target, plan.primary, command))
        if plan.mode is Mode.DISCARD:
            await self._candidate_stands(switch)
        else:
            await self._candidate_is_ready(switch, fenced, clock)
        return fenced

    async def _candidate_is_ready(self, switch: Switch, fenced: Fenced, clock: AttemptClock) -> None:
        """Return once the candidate's gate says that nothing keeps its server from being promoted.

        Raises:
            ApplicationError: ``CandidateFailed``, ``CandidateBehind``.

        """
        within = clock.left(_CANDIDATE_ANSWERS_WITHIN)
        command = _promotion(PromoteRequest(switch=switch, end_lsn=fenced.end_lsn), within)

        async def is_ready() -> bool:
            try:
                await self._systems.gates.prepare(switch.target, switch.plan.candidate, command)
            except UnknownCommandError:
                await self._candidate_stands(switch)
            except GateRefusedError as error:
                if error.problem.kind in _PASSING:
                    raise NotYetError(error.problem.message) from error
                raise refused(error) from error
            return True

        try:
            await until(is_ready, every=_ASK_AGAIN_SECONDS, within=within.total_seconds(), bears=(UnreachableError,))
        except TimeoutError as why:
            what = str(why) or f"its gate did not answer within {within.total_seconds():.1f} s"
            raise refuse(Refusal.CANDIDATE_FAILED, f"{switch.plan.candidate} could not be promoted now: {what}") from None

    async def _candidate_stands(self, switch: Switch) -> None:
        """Return once the candidate's gate says that it runs as a standby, or is held as it was.

        Raises:
            ApplicationError: ``CandidateFailed`` when it does not say so in time.

        """
        name, within, discards = switch.plan.candidate, _CANDIDATE_ANSWERS_WITHIN, switch.plan.mode is Mode.DISCARD

        async def stands() -> GateStatus:
            status = await self._systems.gates.status(switch.target, name, timeout=within)
            if not (status.untouched if discards else _stands_by(status)):
                raise NotYetError(f"its gate {status.doing}")
            return status

        try:
            await until(stands, every=_ASK_AGAIN_SECONDS, within=within.total_seconds(), bears=(UnreachableError,))
        except TimeoutError as why:
            what = "is held as it was" if discards else "runs as a standby"
            raise refuse(Refusal.CANDIDATE_FAILED, f"{name} no longer {what}: {why}") from None

    @step("postgres.promote", CHANGE_SOON, lambda request: f"promote {request.switch.plan.candidate}")
    async def promote(self, request: PromoteRequest) -> Promoted:
        """Let the candidate lead once it has everything up to ``end_lsn``; the same answer however often it is asked.

        Raises:
            ApplicationError: ``CandidateBehind``, ``CandidateFailed``, ``RecordChanged``, ``Superseded``.

        """
        switch, within = request.switch, AttemptClock().left(_LEADS_WITHIN)
        return await obeyed(self._systems.gates.promote(switch.target, switch.plan.candidate, _promotion(request, within)))

    @step("postgres.revert", CHANGE, lambda switch: f"bring {switch.plan.candidate} back as it is")
    async def revert(self, switch: Switch) -> Promoted:
        """Let the candidate of a discard lead again as it is; the same answer however often it is asked.

        Raises:
            ApplicationError: ``NotUntouched``, ``CandidateFailed``, ``RecordChanged``, ``Superseded``.

        """
        plan, given_up = switch.plan, switch.plan.give_up
        if given_up is None:
            raise refuse(Refusal.NOT_AVAILABLE, f"the plan for {plan.candidate} does not say which writes are lost")
        command = RevertCommand(
            epoch=switch.epoch,
            run=str(switch.run),
            system_identifier=plan.system_identifier,
            timeline=given_up.timeline,
            history=given_up.history,
        )
        return await obeyed(self._systems.gates.revert(switch.target, plan.candidate, command))


def _promotion(request: PromoteRequest, within: timedelta) -> PromoteCommand:
    switch = request.switch
    return PromoteCommand(
        epoch=switch.epoch,
        run=str(switch.run),
        system_identifier=switch.plan.system_identifier,
        at_least_lsn=request.end_lsn,
        wanted_lsn=request.wanted_lsn,
        replayed=switch.plan.mode is Mode.PLANNED,
        within_seconds=within.total_seconds(),
    )


def _stands_by(status: GateStatus) -> bool:
    return status.server is ServerState.RUNNING and status.role is Role.STANDBY
