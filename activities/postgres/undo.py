"""The way back before the point of no return, and what to do about a run that left its intent behind.

Order matters. First the candidate's gate *seals*: it promises on disk to ignore every promote below a new epoch, and says
whether an earlier one took effect. Only then does the record go back to the old primary at that epoch, and only then is
the old primary's fence lifted. A worker frozen inside its promotion and thawed afterwards finds its epoch too low.
If the seal says that the candidate was promoted, nothing is undone: forward is the only safe way.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from temporalio import activity

from activities.clients.granting import granted
from activities.clients.ports import GateRefusedError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.claim import current_record, has_moved, is_ours, routed_record
from activities.postgres.gate_errors import refused
from activities.postgres.latest import must_be_latest
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.transfer import (
    GaveBack,
    GiveBackRequest,
    GiveBackResult,
    Settled,
    Settlement,
    SettleRequest,
    Switch,
)
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.wire import RunId
from activities.run.polling import sleep, until
from activities.run.postures import COMPENSATE, FORWARD
from gate.api import GateStatus, ProblemKind, Role, SealCommand, Sealed
from gate.record import HIGHEST_EPOCH, Mode, Record

_UNSEALED_AFTER = timedelta(seconds=0.5)
"""Clients wait for writes meanwhile, and where none was asked to promote there is nothing that a promise would change."""
_ASK_AGAIN_SECONDS = 0.2
_FOLLOWED_WITHIN_SECONDS = 10.0


class UndoActivities:
    """Give back and settle."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems`` for every look and command."""
        self._systems = systems

    @step("postgres.give_back", FORWARD, lambda request: f"undo: give writes back to {request.switch.plan.primary}")
    async def give_back(self, request: GiveBackRequest) -> GiveBackResult:
        """Return the writes to the old primary, or find out that the candidate leads.

        Safe to repeat, and when claim or fence never happened. Not retried when the gate of the old primary refuses.

        Raises:
            UnreachableError: retried; the candidate (unless ``never_sent``), the old primary or the API server is silent.
            ConflictError: retried; somebody wrote the record in between.

        """
        switch = request.switch
        old, candidate = switch.plan.primary, switch.plan.candidate
        record = await current_record(self._systems, switch.target)
        if has_moved(record, switch):
            return _result(GaveBack.CANDIDATE_LEADS, record.epoch, f"the record names {candidate} already")
        if is_ours(record, switch):
            epoch = max(switch.epoch, record.epoch) + 1
            sealed = await self._seal(request, epoch)
            if sealed is not None and sealed.promoted:
                return _result(GaveBack.CANDIDATE_LEADS, sealed.epoch, f"{candidate} was promoted; going forward")
            record = await self._return_record(switch, record, sealed.epoch if sealed is not None else epoch)
        if record.epoch < switch.epoch:
            return await self._bar(request, record)
        if record.leader != old or record.intent is not None or record.run != str(switch.run):
            return _result(GaveBack.TAKEN_OVER, record.epoch, f"{record.run} has written the record since")
        record, message = await self._unfence(switch, record)
        return _result(GaveBack.GIVEN_BACK, record.epoch, message)

    async def _seal(self, request: GiveBackRequest, epoch: int) -> Sealed | None:
        """Return the candidate's promise; ``None`` if it is silent and no promote can have been sent.

        A gate that has seen a later epoch than ours promises at that one: the record carries our intent, so nobody has
        claimed since, and the record follows it there. Unless it is an old copy of the record: then somebody else leads.
        """
        switch, candidate = request.switch, request.switch.plan.candidate
        # Only where the old primary is intact: after a forced claim nobody else could lead.
        command = SealCommand(epoch=epoch, run=str(switch.run), stop_unfinished=switch.plan.mode is Mode.PLANNED)
        deadline = asyncio.get_running_loop().time() + _UNSEALED_AFTER.total_seconds()
        while True:
            try:
                return await self._systems.gates.seal(switch.target, candidate, command)
            except GateRefusedError as error:
                if (epoch := _higher(error, command.epoch)) == 0 or await self._leads_elsewhere(switch):
                    raise refused(error) from error
                command = command.model_copy(update={"epoch": epoch})
            except UnreachableError:
                if asyncio.get_running_loop().time() < deadline:
                    await sleep(_ASK_AGAIN_SECONDS)
                elif request.never_sent:
                    activity.logger.warning("Going back without the candidate's promise: it is silent, unasked so far")
                    return None
                else:
                    raise

    async def _leads_elsewhere(self, switch: Switch) -> bool:
        """Whether a member that the record does not name runs as primary: the record is older than that."""
        members = [name for name in switch.target.cluster.members if name != switch.plan.primary]
        answers = await asyncio.gather(
            *(self._systems.gates.status(switch.target, name) for name in members), return_exceptions=True
        )
        return any(isinstance(one, GateStatus) and one.role is Role.PRIMARY for one in answers)

    async def _bar(self, request: GiveBackRequest, record: Record) -> GiveBackResult:
        """Take the claim's epoch away if the claim may still come: it then finds a record that is not as planned."""
        switch = request.switch
        if request.claim_may_come and record.leader == switch.plan.primary and record.intent is None:
            await self._write(switch, record.model_copy(update={"epoch": switch.epoch, "run": str(switch.run)}))
        return _result(GaveBack.GIVEN_BACK, record.epoch, "nothing had been claimed")

    async def _return_record(self, switch: Switch, record: Record, epoch: int) -> Record:
        wanted = record.model_copy(update={"epoch": epoch, "intent": None, "run": str(switch.run)})
        return await self._write(switch, wanted)

    async def _write(self, switch: Switch, record: Record) -> Record:
        """Write the record; a conflict is retried as a whole step, since everything must be looked at again."""
        return await self._systems.leader_records.write(switch.target.region, switch.target.cluster.write_service, record)

    async def _unfence(self, switch: Switch, record: Record) -> tuple[Record, str]:
        """Lift the fence; return the record, raised to what the gate has seen if it must be, and what to say.

        The old primary of a forced failover may well be dead: the record is its own again, and its gate lifts the fence by
        itself when it reads that.
        """
        old, forced = switch.plan.primary, switch.plan.mode is Mode.FORCED
        try:
            await self._systems.gates.unfence(switch.target, old, record.epoch, str(switch.run))
        except GateRefusedError as error:
            if epoch := _higher(error, record.epoch):
                raised = record.model_copy(update={"epoch": epoch, "run": str(switch.run)})
                return await self._unfence(switch, await self._write(switch, raised))
            if not (forced and error.problem.kind is ProblemKind.NOT_SERVING):
                raise refused(error) from error
            return record, f"{old} leads again as far as the record goes, and does not serve: {error.problem.message}"
        except UnreachableError as error:
            if not forced:
                raise
            return record, f"{old} leads again as far as the record goes, and its gate is silent: {error}"
        return record, f"{old} takes writes again"

    @step("postgres.settle", COMPENSATE, lambda _: "recover what an earlier run left")
    async def settle(self, request: SettleRequest) -> Settlement:
        """Finish or undo what a closed run left in the record, before anything else is decided.

        The caller holds the cluster's lock, so an intent that names the same workflow ID belongs to a run that was
        terminated or reset. Safe to repeat.

        Raises:
            ApplicationError: ``ClaimedElsewhere`` when the intent was written under another workflow ID, ``Unreachable``
                when we may not read the record, ``RecordDisagrees`` when it is an old copy that somebody has put back.

        """
        record = await granted(current_record(self._systems, request.target))
        owner = record.owner
        if not owner:
            return Settlement(settled=Settled.NOTHING)
        workflow_id, _, run_id = owner.rpartition("/")
        if workflow_id != request.run.workflow_id:
            raise refuse(
                Refusal.CLAIMED_ELSEWHERE,
                f"{owner} holds the record of Service {request.target.cluster.write_service};"
                f" this is {request.run.workflow_id}: finish or end that run where it lives",
            )
        await must_be_latest(self._systems, request.target, record)
        left = _left_switch(request, record, RunId(workflow_id=workflow_id, run_id=run_id))
        if record.intent is None:
            return Settlement(settled=Settled.FINISHED, run=owner, switch=left, message=f"{owner} had moved the route")
        return await self._settle_intent(left)

    async def _settle_intent(self, left: Switch) -> Settlement:
        result = await self.give_back(GiveBackRequest(switch=left, never_sent=False))
        owner = str(left.run)
        if result.outcome is not GaveBack.CANDIDATE_LEADS:
            if left.plan.mode is Mode.PLANNED:
                await self._until_followed(left)
            return Settlement(settled=Settled.UNDONE, run=owner, message=f"undid {owner}: {result.message}")
        record = await current_record(self._systems, left.target)
        if is_ours(record, left):
            await self._write(left, routed_record(record, left, result.epoch))
        return Settlement(settled=Settled.FINISHED, run=owner, switch=left, message=f"finished {owner}: {result.message}")

    async def _until_followed(self, left: Switch) -> None:
        """Give the standby a moment to connect again, so that what is surveyed next is no passing state."""
        primary, candidate = left.plan.primary, left.plan.candidate

        async def follows() -> bool | None:
            leader = await self._systems.gates.status(left.target, primary)
            streams = any(row.member == candidate and row.state == "streaming" for row in leader.followers)
            return (streams and (await self._systems.gates.status(left.target, candidate)).upstream == primary) or None

        with contextlib.suppress(TimeoutError, UnreachableError, GateRefusedError):
            await until(follows, every=_ASK_AGAIN_SECONDS, within=_FOLLOWED_WITHIN_SECONDS)


def _higher(error: GateRefusedError, epoch: int) -> int:
    """Return the later epoch for which a gate has refused ``epoch``; 0 when it has refused for something else."""
    seen = error.problem.epoch
    return seen if error.problem.kind is ProblemKind.STALE_EPOCH and epoch < seen <= HIGHEST_EPOCH else 0


def _result(outcome: GaveBack, epoch: int, message: str) -> GiveBackResult:
    return GiveBackResult(outcome=outcome, epoch=epoch, message=message)


def _left_switch(request: SettleRequest, record: Record, run: RunId) -> Switch:
    """Rebuild the earlier run's switch from the record, as far as the remaining steps need it."""
    intent = record.intent
    plan = PostgresPlan(
        cluster=request.target.name,
        mode=intent.mode if intent else Mode.PLANNED,
        primary=record.leader if intent else record.previous,
        candidate=intent.candidate if intent else record.leader,
        epoch=record.epoch - 1,
        timeline=0,
        system_identifier=record.system_identifier,
        sync=record.sync,
        applications=request.target.cluster.applications,
        digest="",
    )
    return Switch(target=request.target, plan=plan, epoch=record.epoch, run=run)
