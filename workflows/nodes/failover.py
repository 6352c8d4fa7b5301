r"""Empty a node that lives (planned), or bring back elsewhere what ran on one that is gone (forced).

    planned: survey -> approve -> survey -> move leaders -> survey -> cordon -> evict -> settle -> (uncordon)
             \______________ the node is as it was ______________/ \_____ undone by uncordon ______/
    forced:  survey -> approve -> survey -> cordon -> replace -> move leaders -> (proof)  ! taint -> replace -> settle
             \______ nothing changed _____/ \____________ undone by uncordon ____________/  \____ forward only ____/

What leads from the node moves by its own procedure, as a child under its own lock, with its own approvals and its own undo;
from a node that lives all at once, and before it is cordoned.
Evictions respect disruption budgets. One that refuses for too long holds the run up, by name, until the budget allows, or a
person insists (the pod is then deleted all the same), or cancels. Every eviction is safe by itself, so the undo is to let
pods on again: what has moved stays where it is now.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.nodes.models import (
    Cordoned,
    CordonRequest,
    Drained,
    DrainRequest,
    NodeLook,
    NodePod,
    NodeSurvey,
    SettledRequest,
)
from activities.nodes.run_models import NodeDetails, NodePlan
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from activities.run.errors import Refusal, refuse
from activities.run.models.control import Control
from activities.run.models.inventory import ResolveRequest
from activities.run.models.todo import Todo, todo
from estate.base import ApprovalPolicy
from estate.nodes import NodeTarget
from gate.record import Mode
from workflows.nodes.hosted import move
from workflows.nodes.leaders_first import LeadersFirst, note_moved
from workflows.nodes.lost_node import Evacuation
from workflows.nodes.models import Insistence, NodeFailoverRequest
from workflows.nodes.planning import make_forced_node_plan, make_node_plan, not_ready, waiting_for_a_node
from workflows.nodes.return_to_service import begin_return
from workflows.run import outcome
from workflows.run.cancelling import ended
from workflows.run.control import Leeway
from workflows.run.controlling import held_back, leave_out, optional_step
from workflows.run.heard import said_here
from workflows.run.inputs import said
from workflows.run.models import Status
from workflows.run.phases import Phase
from workflows.run.procedure import Procedure
from workflows.run.recovering import count_recovery
from workflows.run.saga import compensated
from workflows.run.steps import begin, me, step
from workflows.run.uncancellable import uncancellable


@workflow.defn(name="node-failover")
class NodeFailover(Procedure[NodeFailoverRequest, NodeTarget, NodePlan, NodeDetails]):
    """Empties one node; its workflow ID is the node's lock."""

    asks, details = NodeFailoverRequest, NodeDetails
    leeways = (Leeway("ready", skip="nobody waits until what has left the node is ready elsewhere"),)

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self.prepare(args)
        self.state.hints = self._hints
        self._takes_pods = self._proof_needed = False

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Empty the node, or let everything be and say why."""
        return await self.conclude()

    @workflow.signal(description="Sent by a database's run that waits for proof that this node is stopped.")
    def proof_needed(self, *_: Any) -> None:  # noqa: ANN401
        """Have the machine's control plane asked at once, and the machine ended where the estate lets a run."""
        self._proof_needed = True

    @workflow.update(description='Delete what a disruption budget protects: {"by": "mona", "node": "node-2"}')
    async def insist(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Take the word (``Insistence``) and return the status after it. ApplicationError: it does not count."""
        return await self.answered(self._insist(args))

    async def _insist(self, args: tuple[Any, ...]) -> None:
        word = self._insistence(args)
        signed = said_here("override-budget", word)
        key = await self.key_of_word(signed, word.signature)
        self._insistence(args)  # the run has gone on meanwhile
        self.count(signed)
        self.state.insisted_by, self.state.insisted_key = word.by, key
        self.state.show()

    @insist.validator
    def _may_insist(self, *args: Any) -> None:  # noqa: ANN401
        self._insistence(args)

    def _insistence(self, args: tuple[Any, ...]) -> Insistence:
        """Return the word. Raises ValueError when it does not count."""
        word = said(Insistence, args)
        target = self.state.target
        if target is None or self.state.phase is not Phase.BLOCKED:
            message = "no disruption budget blocks this run; there is nothing to override"
            raise ValueError(message)
        if word.node != target.name:
            message = f"node: {word.node} is not the node of this run; that is {target.name}"
            raise ValueError(message)
        if not target.knows(word.by):
            message = (
                f"by: {word.by} cannot override; the estate's people are {', '.join(sorted(target.people)) or 'nobody'}"
            )
            raise ValueError(message)
        self.must_be_signed("override-budget", word)
        return word

    def _hints(self) -> tuple[str, ...]:
        """Return how a run that a disruption budget holds up goes on."""
        if by := self.state.insisted_by:
            return (f"{by} overrides: pods that disruption budgets protect are deleted too",)
        if self.state.phase is not Phase.BLOCKED:
            return ()
        node = self.request.node
        by_update = f'the update `insist` with `{{"by": "NAME", "node": "{node}"}}`'
        return (f"goes on as soon as the budget allows; or `failover override-budget {node} --by NAME`, or {by_update}",)

    async def resolve(self) -> NodeTarget:
        """Find the node and its pool."""
        return await step(NodeLookActivities.resolve, ResolveRequest(cluster=self.request.node, by=self.asker))

    async def make_plan(self) -> NodePlan:
        """Look at the node and its pods, and decide what is to be done."""
        state, request, target = self.state, self.request, self.target
        state.enter(Phase.SURVEYING)
        self._proof_needed = False  # a claim that still stands is found by the survey
        survey = state.details.survey = await step(NodeLookActivities.survey, NodeLook(target=target))
        forced = request.mode is Mode.FORCED
        plan = make_forced_node_plan(target, survey) if forced else make_node_plan(survey, uncordon=request.uncordon)
        state.plan = plan
        state.show()
        return plan

    @staticmethod
    def policy(target: NodeTarget, mode: str, run: str) -> ApprovalPolicy:  # noqa: ARG004
        """Return who must approve."""
        return target.settings.approvals.of(mode)

    async def execute(self, plan: NodePlan) -> str:
        """Cordon, and drain the node or give it up; undo the cordon when that fails."""
        state, target, survey = self.state, self.target, self._surveyed()
        cordoned: Cordoned | None = None
        survey = await self._move_first(survey)
        try:
            state.would_undo = (f"let pods on {target.name} again",)
            cordoned = await uncancellable(step(NodeActivities.cordon, CordonRequest(target=target, run=me())))
            if plan.mode is Mode.FORCED:
                await Evacuation(state, self.request, target, survey, lambda: self._proof_needed).run(cordoned.at)
                await begin_return(target)
            else:
                await self._empty(survey, cordoned)
        except (asyncio.CancelledError, FailureError) as error:
            await uncancellable(self._let_on_again(error, before=bool(cordoned and cordoned.before)))
            raise
        return self._end(plan)

    async def _move_first(self, survey: NodeSurvey) -> NodeSurvey:
        """Move what leads, if the node lives; then go on to the cordon. Return how the node stands."""
        state, target = self.state, self.target
        try:
            if self.request.mode is Mode.PLANNED and survey.carries and workflow.patched("move-before-the-cordon"):
                survey = await LeadersFirst(state, self.request, target).move(survey)
            state.enter(Phase.CORDONING)
        except (asyncio.CancelledError, FailureError) as error:
            if survey.node.cordoned_for:  # by a run that was ended from outside
                await uncancellable(self._let_on_again(error, before=False))
            elif stay := self._moved():
                state.undone = (f"{target.name} is as it was", *stay)
            raise
        return survey

    def _moved(self) -> tuple[str, ...]:
        return tuple(f"{one} stays moved" for one in self.state.details.moved_first)

    def _surveyed(self) -> NodeSurvey:
        if self.state.details.survey is None:
            raise refuse(Refusal.UNREACHABLE, "there is no survey")
        return self.state.details.survey

    async def _empty(self, survey: NodeSurvey, cordoned: Cordoned) -> None:
        state, target, details = self.state, self.target, self.state.details
        for carried in survey.carries:  # moved back meanwhile
            state.enter(Phase.MOVING, f"{carried.workflow} {carried.target} (failover status {carried.target})")
            note_moved(state, await move(carried, self.request, target))
        await held_back(state)
        state.control.offer("ready")
        details.drained = await self._drain()
        await held_back(state)
        state.enter(Phase.SETTLING)
        await self._settle(tuple(pod for pod in survey.to_evict if not pod.homeless), cordoned)
        if not self.request.uncordon:
            state.left_to_do += waiting_for_a_node(survey)
            return
        self._takes_pods = not (await uncancellable(self._uncordon())).before
        if survey.homeless:
            await self._settle(survey.to_evict, cordoned)

    async def _uncordon(self) -> Cordoned:
        return await step(NodeActivities.uncordon, CordonRequest(target=self.target, run=me()))

    async def _settle(self, pods: tuple[NodePod, ...], cordoned: Cordoned) -> None:
        """Wait until the controllers of ``pods`` have what they want; STRANDED where they do not in time."""
        state, target = self.state, self.target
        until = workflow.now() + target.settings.settled_within
        request = SettledRequest(target=target, pods=pods, until=until)
        settled = await optional_step(state, "ready", NodeActivities.await_replacements, request)
        if settled is None:
            left = todo(Todo.REPAIR, f"what has left {target.name} is ready elsewhere", target.name)
            leave_out(state, Control.SKIP, "ready", left)
            return
        state.details.settled = settled
        count_recovery(state, cordoned.at, settled.at)
        if not settled.whole:
            state.left_to_do = not_ready(settled)
            raise refuse(Refusal.STRANDED, f"{target.name} is empty, but not all that left it is ready elsewhere")

    async def _drain(self) -> Drained:
        """Evict until nothing is left; where a budget refuses for too long, until it allows or a person insists."""
        deadline = None
        self.state.enter(Phase.EVICTING)
        while True:
            drained = await self._evict()
            if not drained.blocked:
                return drained
            deadline = deadline or workflow.now() + self.target.settings.decided_within
            words = "; ".join(f"{one.pod}: {one.words}" for one in drained.blocked)
            if workflow.now() >= deadline:
                raise refuse(Refusal.BLOCKED, f"it cannot be drained ({words}), and nobody overrode it")
            self.state.enter(Phase.BLOCKED, words)

    async def _evict(self) -> Drained:
        """Evict until nothing is left or a budget has refused for too long; a word that comes meanwhile counts at once."""
        state = self.state
        evicting = self._begin_to_evict()
        if state.insisted_by:
            return await evicting
        try:
            await workflow.wait_condition(lambda: evicting.done() or bool(state.insisted_by))
        except asyncio.CancelledError:
            await uncancellable(ended(evicting))  # nothing may be evicted once pods are let on again
            raise
        if evicting.done():
            return await evicting
        await ended(evicting)
        return await self._begin_to_evict()

    def _begin_to_evict(self) -> workflow.ActivityHandle[Drained]:
        found = tuple(pod.path for pod in self._surveyed().to_evict)
        request = DrainRequest(target=self.target, run=me(), found=found, insisted_by=self.state.insisted_by)
        return begin(NodeActivities.drain, request)

    async def _let_on_again(self, error: BaseException, *, before: bool) -> None:
        """Undo the cordon, unless the node is given up or empty and only what left it is missing, or it was there before."""
        state, target = self.state, self.target
        if outcome.cause_of(error)[0] == Refusal.STRANDED or before:
            if self.request.mode is Mode.FORCED:
                await begin_return(target)
            return
        state.phase = Phase.UNDOING
        await compensated(
            state, error, self._uncordon(), todo(Todo.UNCORDON, f"kubectl uncordon {target.name}", target.name)
        )
        state.undone = (f"{target.name} takes pods again", *self._moved())

    def _end(self, plan: NodePlan) -> str:
        node, drained = self.target.name, self.state.details.drained
        if plan.mode is Mode.FORCED or drained is None:
            return f"everything of {node} is ready elsewhere; the node takes pods again when it is healthy"
        kept = "takes pods again" if self._takes_pods else "is cordoned"
        return f"{len(drained.gone)} pods left {node}, which {kept}"
