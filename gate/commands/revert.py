"""The command that lets a former primary lead again as it is (``gate.loop.revert`` says how, ``docs/adr/0010`` why).

The directory must be provably what its server left when it led last, on the timeline that the given-up one grew out of,
and the record must carry a discard that names this member at the command's epoch. What is accepted is on disk before
anything is done; from then on the gate starts the server by itself, in recovery, after a crash too, and only this command
(or a record that names this member) ends the recovery. So the command repeats safely, and is answered alike.
"""

from __future__ import annotations

import asyncio

from gate.api import GateStatus, ProblemKind, Promoted, RevertCommand, Role, ServerState
from gate.commands.promote import Promoting
from gate.loop import revert
from gate.postgres.controldata import ControlData, newest_timeline
from gate.record import Mode

_RUNS_WITHIN_SECONDS = 30.0
_LEADS_WITHIN_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.02


class Reverting(Promoting):
    """Takes the server of a former primary out of recovery."""

    async def revert(self, command: RevertCommand) -> Promoted:
        """Lead again on an unused timeline."""
        context = self._context
        async with context.lock:
            await self._accept(command)
            if context.store.state.promoted_at != command.epoch:
                control = await self._may_revert(command)
                revert.occupy(context.settings.data, control.timeline, command.timeline, command.history)
                context.store.write(promoted_at=command.epoch, promoted_xid=control.next_xid, reverting=command.timeline)
            context.log("revert", run=command.run, given_up=command.timeline)
        context.kick.set()
        if not await self._until_it_runs():
            return self._promoted_before(command)
        async with context.lock:
            await self._accept(command)
            context.serving.open()
            return await self._promote(command, _LEADS_WITHIN_SECONDS)

    async def _may_revert(self, command: RevertCommand) -> ControlData:
        """Return the control file of a directory that may lead again."""
        context = self._context
        stopped = context.server.state is ServerState.STOPPED
        if not stopped or context.work.is_going_on or not revert.is_untouched(context.settings):
            what = "has been rewound, has followed another member or is in use"
            raise self._refuse(ProblemKind.NOT_UNTOUCHED, f"{context.settings.member} {what}: its gate {context.doing}")
        control = await context.control.read()
        if control.system_identifier != command.system_identifier:
            raise self._refuse(
                ProblemKind.WRONG_SYSTEM, f"is system {control.system_identifier}, not {command.system_identifier}"
            )
        self._must_be_its_parent(command, control)
        await self._must_be_claimed(command)
        return control

    def _must_be_its_parent(self, command: RevertCommand, control: ControlData) -> None:
        """Refuse a directory that is not on the timeline which the given-up one grew out of, or that knows of later ones."""
        parent, newest = command.history[-1][0], newest_timeline(self._context.settings.data)
        if control.timeline != parent or not parent < command.timeline or newest > command.timeline:
            raise self._refuse(
                ProblemKind.NOT_UNTOUCHED,
                f"is on timeline {control.timeline} and knows of {newest}; timeline {command.timeline} grew out of {parent}",
            )

    async def _must_be_claimed(self, command: RevertCommand) -> None:
        """Refuse unless the record says so, and its leader does not run."""
        record, member = await self._record(), self._context.settings.member
        intent = record.intent
        claimed = intent is not None and intent.candidate == member and intent.mode is Mode.DISCARD
        if record.epoch != command.epoch or not claimed:
            raise self._refuse(
                ProblemKind.RECORD_FORBIDS,
                f"the record is at epoch {record.epoch} with intent {intent.candidate if intent else 'none'};"
                f" epoch {command.epoch} may not bring {member} back",
            )
        leader = await self._context.peers.status(record.leader)
        if leader is not None and _may_write(leader):
            raise self._refuse(ProblemKind.RECORD_FORBIDS, f"{record.leader} is {leader.server} and not fenced")

    async def _until_it_runs(self) -> bool:
        """Wait for the gate to start the server; ``False`` when it was promoted before and is down."""
        context = self._context
        deadline = asyncio.get_running_loop().time() + _RUNS_WITHIN_SECONDS
        while context.server.state is not ServerState.RUNNING or context.sampler.facts.role is None:
            stopped = context.server.state is ServerState.STOPPED
            if stopped and not revert.is_pending(context.settings.data, context.store.state):
                return False
            if asyncio.get_running_loop().time() > deadline:
                raise self._refuse(ProblemKind.NOT_SERVING, f"does not run yet: {context.doing}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return True


def _may_write(leader: GateStatus) -> bool:
    return leader.server is not ServerState.STOPPED and leader.role is not Role.STANDBY
