"""Changes of the leader record: claim before a switch, route after the promotion.

Both read first, write with compare-and-swap on ``resourceVersion`` and, on a conflict or on silence, read again: our own
change already there is success; leader, epoch and intent unchanged is tried again; anything else is somebody else's
change and is refused. Killed between the write and the answer, the next attempt finds its own change and goes on.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from activities.clients.granting import granted
from activities.clients.ports import ConflictError, GateRefusedError, MissingError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.post_promotion import FinishRequest
from activities.postgres.models.transfer import ClaimRequest, Routed, RouteRequest, Switch
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.wire import workflow_of
from activities.run.polling import sleep
from activities.run.postures import CHANGE, FORWARD
from estate.postgres import PostgresTarget
from gate.api import GateStatus
from gate.record import HIGHEST_EPOCH, NO_SYNC, Intent, MalformedRecordError, Mode, Record

_BREATH_SECONDS = 0.02
_SAYS_EPOCH_WITHIN = timedelta(seconds=0.5)
NOTHING_CHANGED = "see the worker's Role; nothing was changed"


async def current_record(systems: Systems, target: PostgresTarget) -> Record:
    """Return the record as it stands.

    Raises:
        ApplicationError: ``NoRecord``, ``RecordDisagrees`` when the annotations cannot be read.

    """
    record = await found_record(systems, target)
    if record is None:
        raise refuse(Refusal.NO_RECORD, f"Service {target.cluster.write_service} has no leader record")
    return record


async def found_record(systems: Systems, target: PostgresTarget) -> Record | None:
    """Return the record, if there is one. ApplicationError: as ``current_record``; ``NoRecord`` without the Service."""
    try:
        return await systems.leader_records.read(target.region, target.cluster.write_service)
    except MissingError as error:
        raise refuse(Refusal.NO_RECORD, str(error)) from error
    except MalformedRecordError as error:
        raise refuse(Refusal.RECORD_DISAGREES, str(error)) from error


async def try_write(systems: Systems, target: PostgresTarget, record: Record) -> None:
    """Write if nobody wrote in between; the caller's loop reads again either way."""
    try:
        await systems.leader_records.write(target.region, target.cluster.write_service, record)
    except ConflictError:
        await sleep(_BREATH_SECONDS)


def is_ours(record: Record, switch: Switch) -> bool:
    """Whether ``record`` carries the intent that ``switch`` wrote, at whatever epoch its claim took."""
    return record.intent is not None and record.intent.run == str(switch.run)


def has_moved(record: Record, switch: Switch) -> bool:
    """Whether the route of ``switch`` has been changed: nobody has claimed since, or its mark is still there."""
    if record.leader != switch.plan.candidate or record.intent is not None:
        return False
    return record.unfinished == str(switch.run) or record.epoch == switch.epoch


_NO_PAUSE = {"paused_until": "", "paused_by": "", "paused_because": ""}


def routed_record(record: Record, switch: Switch, epoch: int) -> Record:
    """Return ``record`` with the candidate of ``switch`` as leader: what the route's patch writes.

    A discard has used the old directory for which bringing it back may have been paused; that pause ends with it.
    """
    discards = switch.plan.mode is Mode.DISCARD
    return record.model_copy(
        update={
            "leader": switch.plan.candidate,
            "previous": record.leader,
            "epoch": max(record.epoch, epoch),
            "intent": None,
            "sync": NO_SYNC,
            "run": str(switch.run),
            "unfinished": str(switch.run),
            **(_NO_PAUSE if discards else {}),
        }
    )


class ClaimActivities:
    """Writes to the leader record."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems.kubernetes`` for every read and write."""
        self._systems = systems

    @step(
        "postgres.claim", CHANGE, lambda request: f"claim: intent {request.plan.candidate}, epoch {request.plan.epoch + 1}"
    )
    async def claim(self, request: ClaimRequest) -> Switch:
        """Write the intent, and an epoch above the record's and all gates'. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``RecordChanged`` when leader, epoch, intent or selector are not as planned,
                ``RecordDisagrees`` when somebody has led since it was written (it is an old copy that was put back after the
                plan was made) or when no higher epoch is left, ``Unreachable`` when we may not write it.

        """
        plan, run = request.plan, request.run
        switch = Switch(target=request.target, plan=plan, epoch=plan.epoch + 1, run=run)
        while True:
            record = await current_record(self._systems, request.target)
            if is_ours(record, switch):
                return switch.model_copy(update={"epoch": record.epoch})
            _must_be_as_planned(record, request)
            switch = switch.model_copy(update={"epoch": await self._free_epoch(request)})
            intent = Intent(candidate=plan.candidate, mode=plan.mode, run=str(run))
            wanted = record.model_copy(update={"epoch": switch.epoch, "intent": intent, "run": str(run)})
            await granted(try_write(self._systems, request.target, wanted), NOTHING_CHANGED)

    async def _free_epoch(self, request: ClaimRequest) -> int:
        """Return the next epoch that no gate refuses; one that is silent, or is taken for dead, has no say."""
        target, plan = request.target, request.plan
        names = [name for name in target.cluster.members if plan.mode is not Mode.FORCED or name != plan.primary]
        lease, answers = await asyncio.gather(
            self._systems.leader_records.lease_epoch(target.region, target.cluster.write_service),
            asyncio.gather(*(self._status_of(target, name) for name in names)),
        )
        gates = [one for one in answers if one is not None]
        _nobody_has_led_since(plan, gates, lease)
        epoch = max([plan.epoch, *(one.epoch for one in gates)]) + 1
        if epoch > HIGHEST_EPOCH:
            raise refuse(
                Refusal.RECORD_DISAGREES,
                f"a gate of {target.name} has seen epoch {epoch - 1}, the last one there is; nothing was changed",
            )
        return epoch

    async def _status_of(self, target: PostgresTarget, name: str) -> GateStatus | None:
        """Return what a member's gate says; ``None`` when it does not do so at once."""
        try:
            async with asyncio.timeout(_SAYS_EPOCH_WITHIN.total_seconds()):
                return await self._systems.gates.status(target, name, timeout=_SAYS_EPOCH_WITHIN)
        except (UnreachableError, GateRefusedError, TimeoutError):
            return None

    @step("postgres.route", FORWARD, lambda request: f"route writes to {request.switch.plan.candidate}")
    async def route(self, request: RouteRequest) -> Routed:
        """Let leader and selector name the candidate, in one patch. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``Superseded`` when the record no longer carries our claim.

        """
        switch = request.switch
        candidate = switch.plan.candidate
        while True:
            record = await current_record(self._systems, switch.target)
            if has_moved(record, switch):
                return Routed(epoch=record.epoch, leader=candidate, routed_at=datetime.now(UTC))
            if not is_ours(record, switch) or (record.intent and record.intent.candidate != candidate):
                raise refuse(
                    Refusal.SUPERSEDED,
                    f"the record is at epoch {record.epoch}, leader {record.leader}, not at our epoch {switch.epoch};"
                    f" {candidate} was promoted but does not get the writes",
                )
            await try_write(self._systems, switch.target, routed_record(record, switch, request.epoch))

    @step("postgres.finish", FORWARD, lambda _: "mark as finished")
    async def finish(self, request: FinishRequest) -> None:
        """Take the mark of an unfinished switch off the record. Repeating it changes nothing more.

        A mark that an earlier run under the same workflow ID left at our epoch is ours too: it was reset to before its
        claim, and we did what it left.
        """
        switch, run = request.switch, request.switch.run
        while True:
            record = await current_record(self._systems, switch.target)
            inherited = workflow_of(record.unfinished) == run.workflow_id and record.epoch == switch.epoch
            if record.unfinished != str(run) and not inherited:
                return
            await try_write(self._systems, switch.target, record.model_copy(update={"unfinished": "", "run": str(run)}))


def _nobody_has_led_since(plan: PostgresPlan, gates: list[GateStatus], lease: int) -> None:
    """Refuse where the record that the plan was made from stands there again, and others were promoted meanwhile.

    A worker that slept through its run finds everything as planned then. Its claim would be undone in favour of a leader
    that has missed what was written since.
    """
    led = {f"{one.member} was promoted": one.promoted_at_epoch or 0 for one in gates} | {"the Lease was renewed": lease}
    for words, epoch in led.items():
        if epoch > plan.epoch:
            raise refuse(
                Refusal.RECORD_DISAGREES,
                f"the record is an old copy, at epoch {plan.epoch}: {words} at epoch {epoch}; nothing was changed;"
                f" a person must decide who leads: failover repair {plan.cluster}",
            )


def _must_be_as_planned(record: Record, request: ClaimRequest) -> None:
    plan = request.plan
    found = (record.leader, record.selector, record.epoch, record.intent, record.sync)
    if found != (plan.primary, plan.primary, plan.epoch, None, plan.sync):
        raise refuse(
            Refusal.RECORD_CHANGED,
            f"the record changed since the plan was made: leader {record.leader}, selector {record.selector or 'none'},"
            f" epoch {record.epoch}, sync {record.sync}, intent {record.intent.candidate if record.intent else 'none'};"
            f" planned from leader {plan.primary}, epoch {plan.epoch}, sync {plan.sync}; nothing was changed",
        )
