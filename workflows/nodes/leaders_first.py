"""Moves what leads from a node that lives, before anything is done to the node.

People may have to approve each of these failovers. They may take hours, and may say no: so they are all asked at once, and
the node is as it was meanwhile. When one leader cannot be moved, or the run is cancelled, the other failovers are cancelled
and undo what they can. The node is looked at again afterwards.

A failover that ends with something left to do, or whose undo failed, makes this run STRANDED: writes may be stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.nodes.models import Carried, NodeLook, NodeSurvey
from activities.nodes.run_models import NodeDetails
from activities.nodes.survey import NodeLookActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import Todo, todo
from estate.nodes import NodeTarget
from workflows.nodes.hosted import Moved, move
from workflows.nodes.models import NodeFailoverRequest
from workflows.nodes.planning import make_node_plan
from workflows.run import outcome
from workflows.run.phases import Phase
from workflows.run.state import RunState
from workflows.run.steps import step
from workflows.run.uncancellable import uncancellable

_ROUNDS = 3
"""A leader may come back to the node while people decide about another one; what still leads then moves after the cordon."""
_GRAVE = {Refusal.STRANDED, Refusal.ROLLBACK_INCOMPLETE}


class LeadersFirst:
    """Of one run."""

    def __init__(self, state: RunState[NodeDetails], request: NodeFailoverRequest, target: NodeTarget) -> None:
        """Write to ``state`` what is done."""
        self._state, self._request, self._target = state, request, target

    async def move(self, survey: NodeSurvey) -> NodeSurvey:
        """Move what leads by ``survey``, and return how the node stands then.

        Raises:
            ApplicationError: ``Stranded``; or why a failover did not come about, or the node may not be emptied any more.
            CancelledError: this run was cancelled, and all that it has begun has ended.

        """
        state = self._state
        for _ in range(_ROUNDS):
            if not survey.carries:
                break
            state.enter(Phase.MOVING, ", ".join(_told(one) + f" (failover status {one.target})" for one in survey.carries))
            await self._move_all(survey.carries)
            state.enter(Phase.SURVEYING)
            survey = state.details.survey = await step(NodeLookActivities.survey, NodeLook(target=self._target))
            make_node_plan(survey, uncordon=self._request.uncordon)
        return survey

    async def _move_all(self, carries: Sequence[Carried]) -> None:
        moving = [asyncio.create_task(move(one, self._request, self._target)) for one in carries]
        try:
            await workflow.wait(moving, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in moving:
                task.cancel()
            await uncancellable(_ended(moving))
            failures = self._note(carries, moving)
            self._must_not_be_grave(failures)
        if failures:
            raise _first(failures)

    def _note(
        self, carries: Sequence[Carried], moving: Sequence[asyncio.Task[Moved]]
    ) -> list[tuple[Carried, BaseException]]:
        """Keep what has moved; return what has not."""
        failures: list[tuple[Carried, BaseException]] = []
        for leader, task in zip(carries, moving, strict=True):
            try:
                note_moved(self._state, task.result())
            except (asyncio.CancelledError, FailureError) as error:
                failures.append((leader, error))
        return failures

    def _must_not_be_grave(self, failures: list[tuple[Carried, BaseException]]) -> None:
        """Raise ``Stranded`` if a failover has left something that a person must see to."""
        grave = [(leader, outcome.cause_of(error)) for leader, error in failures]
        grave = [(leader, cause) for leader, cause in grave if cause[0] in _GRAVE]
        if not grave:
            return
        self._state.left_to_do = tuple(
            todo(Todo.MOVE, f"{_told(leader)}: {cause[1]} (failover report {leader.target})", leader.target)
            for leader, cause in grave
        )
        raise refuse(Refusal.STRANDED, f"{self._target.name} is not cordoned: {_told(grave[0][0])}: {grave[0][1][1]}")


def note_moved(state: RunState[NodeDetails], moved: Moved) -> None:
    """Keep that a leader has moved, and how long people were asked for it."""
    state.details.moved_first = (*state.details.moved_first, moved.words)
    state.waited_for_people += moved.people


async def _ended(moving: Sequence[asyncio.Task[Moved]]) -> None:
    await workflow.wait(moving)


def _first(failures: list[tuple[Carried, BaseException]]) -> BaseException:
    """Return why the others were cancelled: what ended by a cancel was cancelled by a person, if nothing else failed."""
    for _, error in failures:
        if not isinstance(error, asyncio.CancelledError) and not outcome.was_cancelled(error):
            return error
    return refuse(Refusal.ROLLED_BACK, f"{_told(failures[0][0])} was cancelled")


def _told(carried: Carried) -> str:
    return f"{carried.workflow} {carried.target}"
