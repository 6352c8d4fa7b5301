"""Bring a member that does not follow the leader back as a synchronous standby.

    survey -> ask its gate to rejoin -> wait until it is synchronous

The gates rejoin by themselves; this procedure is for a member that waits for a person's word, and for watching one that
takes long. It never touches the leader, so there is nothing to undo: a cancel stops the watching, not the gate.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.postgres.models.survey import Survey
from activities.run.errors import Refusal, refuse
from activities.run.models.report import Outcome
from gate.record import Record
from workflows.postgres import steps
from workflows.postgres.models import RejoinRequest
from workflows.postgres.planning.planned import usable_record
from workflows.postgres.procedure import PostgresProcedure
from workflows.run.models import Run
from workflows.run.outcome import Summary
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted


@workflow.defn(name="postgres-rejoin")
class PostgresRejoin(PostgresProcedure[RejoinRequest]):
    """One rejoin; holds the cluster's lock, so that no transfer begins meanwhile. Nobody is asked: nothing is moved."""

    asks = RejoinRequest

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)

    @workflow.run
    async def run(self, *_: Any) -> Summary:  # noqa: ANN401
        """Rejoin, or say why not."""
        return await self.conclude()

    async def story(self) -> None:
        """Ask each member's gate, and wait for it."""
        state, request = self.state, admitted(self.state, self._read, self._fault)
        self.request = request
        target = state.target = await self.resolve()
        state.enter(Phase.SURVEYING)
        state.details.survey = survey = await steps.survey(target)
        record = usable_record(survey, target)
        members = _to_rejoin(request, survey, record)
        if request.run is Run.PLAN:
            state.close(Outcome.DRY_RUN, f"would rejoin: {', '.join(members) or 'nobody'}; nothing was changed")
            return
        state.enter(Phase.REJOINING, ", ".join(members))
        for member in members:
            state.leaves = f"{member} was asked to follow {record.leader}, and its gate goes on with that"
            await steps.rejoin(target, record, member)
            state.details.redundancy = await steps.follows(target, record, member)
        state.close(Outcome.COMPLETED, f"{', '.join(members) or 'every member'} follows {record.leader}")


def _to_rejoin(request: RejoinRequest, survey: Survey, record: Record) -> tuple[str, ...]:
    """Return the members to bring back, in the estate's order."""
    others = [fact.name for fact in survey.members if fact.name != record.leader]
    if request.member is not None and request.member not in others:
        raise refuse(
            Refusal.BAD_INPUT, f"member: {request.member} is no standby of this cluster; standbys: {', '.join(others)}"
        )
    if request.member is not None:
        return (request.member,)
    return tuple(name for name in others if name not in record.sync_members)
