"""The forced half of ``node-failover``: a node that is silent is given up, as far as it is proved to be stopped.

Silence is no proof: a node that is cut off goes on running its pods. So the pods of Deployments, which must bear to run
twice for a while, are replaced at once. What leads from the node is moved by its own procedure, which asks for its own
proof. Pods that keep data wait for proof that the machine is stopped, a person's word or its control plane's; then the node
is tainted as out of service, which lets their volumes go, and they are made anew elsewhere. A run of its own waits for the
node and takes it back when it is well.

A database may wait for the same proof. Its run says so once it has claimed, and not while people still decide about it: only
then the control plane is asked while leaders move, and may end the machine. What a person says of the node meanwhile is
passed on to the runs that move leaders from it, each of which decides whose word counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.nodes.models import (
    Carried,
    CordonRequest,
    MovedRequest,
    NodePod,
    NodeSurvey,
    ReplacePodsRequest,
    SettledRequest,
)
from activities.nodes.run_models import NodeDetails
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.todo import LeftToDo, Todo, todo
from estate.nodes import NodeTarget
from workflows.nodes.fencing import Asking, EarlyAsking, proof_of
from workflows.nodes.hosted import move, pass_the_word_on, word_said
from workflows.nodes.leaders_first import note_moved
from workflows.nodes.models import NodeFailoverRequest
from workflows.nodes.planning import keeps_data, keeps_nothing, not_ready, waiting_for_a_node
from workflows.run import outcome
from workflows.run.cancelling import cancel_and_wait, ended
from workflows.run.phases import Phase
from workflows.run.recovering import count_recovery
from workflows.run.state import RunState
from workflows.run.steps import begin, me, step
from workflows.run.uncancellable import uncancellable


async def _all(moving: list[asyncio.Task[None]]) -> None:
    await workflow.wait(moving)


class Evacuation:
    """One silent node."""

    def __init__(
        self,
        state: RunState[NodeDetails],
        request: NodeFailoverRequest,
        target: NodeTarget,
        survey: NodeSurvey,
        told: Callable[[], bool],
    ) -> None:
        """Write to ``state`` what is done; ``told``: a database's run has said that it waits for proof."""
        self._state, self._request, self._target, self._survey = state, request, target, survey
        self._told = told
        self._left: list[LeftToDo] = []
        self._tells = True
        self._held: dict[str, LeftToDo] = {}
        """What another run moves already."""

    async def run(self, cordoned_at: datetime) -> None:
        """Bring everything back elsewhere. STRANDED where something is missing in the end."""
        telling = [asyncio.create_task(self._pass_the_word_on(carried)) for carried in self._survey.carries]
        try:
            await self._bring_back(cordoned_at)
        finally:
            self._tells = False
            for word in telling:
                word.cancel()

    async def _bring_back(self, cordoned_at: datetime) -> None:
        state, target = self._state, self._target
        await self._replace(keeps_nothing(self._survey), "pods without data")
        moving = [asyncio.create_task(self._move(carried)) for carried in self._survey.carries]
        early = EarlyAsking(state, target, self._survey.node.provider_id)
        asking = asyncio.create_task(early.ask(self._proof_is_needed))
        try:
            if moving:
                state.enter(Phase.MOVING, ", ".join(f"{one.workflow} {one.target}" for one in self._survey.carries))
                await self._until_moved(moving)
            await cancel_and_wait(asking)
            if stateful := keeps_data(self._survey):
                await self._wait_for_proof(stateful, early.asking)
                await uncancellable(self._give_up(stateful))
        except asyncio.CancelledError:
            for one in moving:
                one.cancel()
            await uncancellable(self._ask_no_more(asking, early))
            raise
        await uncancellable(self._settle(cordoned_at))
        if moving:
            await uncancellable(_all(moving))
            if state.details.settled is not None:  # only now it is known how long people were asked
                count_recovery(state, cordoned_at, state.details.settled.at)
        state.left_to_do = (*self._left, *state.left_to_do, *waiting_for_a_node(self._survey))
        if self._left or not (state.details.settled and state.details.settled.whole):
            raise refuse(Refusal.STRANDED, f"{target.name} is out of service, but not every workload is ready elsewhere")

    async def _pass_the_word_on(self, carried: Carried) -> None:
        """Pass on what somebody says of the node. The requester's word has gone out with the request, to a run of ours.

        One that was only announced there, and then said with a signature, has not.
        """
        told = self._request.by if self._request.attest and not self._state.announced_by else ""
        await workflow.wait_condition(
            lambda: self._state.attested_by not in {"", told} or (bool(told) and carried.target in self._held)
        )
        if workflow.patched("pass-a-word-on"):
            await pass_the_word_on(carried, self._target.name, lambda: word_said(self._state), lambda: self._tells)

    def _proof_is_needed(self) -> bool:
        """Whether a database waits for it: its run says so, or is another one that lives and had claimed before."""
        return self._told() or any(one.claimed and one.target in self._held for one in self._survey.carries)

    async def _ask_no_more(self, asking: asyncio.Task[None], early: EarlyAsking) -> None:
        await cancel_and_wait(asking)
        if early.asking is not None:
            await cancel_and_wait(early.asking)
            if self._target.settings.machines and self._target.settings.machines.may_end:
                words = f"see whether the machine of {self._target.name} runs: this run may have had it ended"
                self._state.left_to_do += (todo(Todo.MACHINE, words, self._target.name),)

    async def _until_moved(self, moving: list[asyncio.Task[None]]) -> None:
        """Return once nothing leads from the node any more, or every move has ended in whatever way.

        A database that leads elsewhere still waits to be redundant again, and what it waits for is among what comes next.
        One that another run is at already, such as its watch's, gets its time.
        """
        looking = begin(NodeLookActivities.await_leaders_moved, MovedRequest(target=self._target, pods=self._survey.pods))
        try:
            await workflow.wait_condition(
                lambda: looking.done() or (all(one.done() for one in moving) and not self._held),
                timeout=self._target.settings.word_within,
                timeout_summary="leaders move",
            )
        except TimeoutError:
            self._left += self._held.values()
        except asyncio.CancelledError:
            await uncancellable(ended(looking))
            raise
        await ended(looking)

    async def _settle(self, cordoned_at: datetime) -> None:
        state, target = self._state, self._target
        state.enter(Phase.SETTLING)
        pods = tuple(pod for pod in self._survey.to_evict if not pod.homeless)
        until = workflow.now() + target.settings.settled_within
        settled = await step(NodeActivities.await_replacements, SettledRequest(target=target, pods=pods, until=until))
        state.details.settled = settled
        count_recovery(state, cordoned_at, settled.at)
        state.left_to_do = not_ready(settled)

    async def _replace(self, pods: tuple[NodePod, ...], what: str) -> None:
        if pods:
            self._state.enter(Phase.REPLACING, f"{what}: {', '.join(pod.path for pod in pods)}")
            request = ReplacePodsRequest(target=self._target, pods=pods, run=me())
            replaced, before = await step(NodeActivities.replace, request), self._state.details.pods_replaced
            all_of_them = (*(before.pods if before else ()), *replaced.pods)
            self._state.details.pods_replaced = replaced.model_copy(update={"pods": all_of_them})

    async def _move(self, carried: Carried) -> None:
        """Move one leader; one that cannot be moved is left to do, and does not hold the others up."""
        try:
            moved = await move(carried, self._request, self._target)
        except FailureError as error:
            if outcome.was_cancelled(error):
                raise
            kind, words = outcome.cause_of(error)
            message = f"{carried.workflow} {carried.target}: {words}"
            left = todo(Todo.MOVE, message, carried.target)
            if kind == Refusal.CLAIMED_ELSEWHERE:
                self._held[carried.target] = left
            else:
                self._left.append(left)
        else:
            note_moved(self._state, moved)

    async def _wait_for_proof(self, stateful: tuple[NodePod, ...], asking: Asking | None) -> None:
        state, within = self._state, self._target.settings.word_within
        if not state.attested_by:
            waiting = ", ".join(pod.path for pod in stateful)
            state.enter(Phase.PROVING, f"{waiting} wait until {self._target.name} is stopped")
        try:
            asked_at = workflow.now()
            state.details.proof = await proof_of(state, self._target, self._survey.node.provider_id, asking)
            if state.attested_by and self._target.settings.machines is None:  # else a machine was asked meanwhile
                state.waited_for_people += ((asked_at, workflow.now()),)
        except TimeoutError:
            stopped = f"waits for proof that {self._target.name} is stopped"
            state.left_to_do = tuple(todo(Todo.FENCE, f"{pod.path}: {stopped}", pod.path) for pod in stateful)
            words = f"nobody has said within {within} that {self._target.name} is stopped; pods with data wait for it"
            raise refuse(Refusal.STRANDED, words) from None

    async def _give_up(self, stateful: tuple[NodePod, ...]) -> None:
        self._state.forward_only, self._state.would_undo = True, ()
        await step(NodeActivities.give_up, CordonRequest(target=self._target, run=me()))
        await self._replace(stateful, "pods with data")
