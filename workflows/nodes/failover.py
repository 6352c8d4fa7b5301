r"""Empty a node that lives (planned), or bring back elsewhere what ran on one that is gone (forced).

    planned: survey -> approve -> survey -> cordon -> move leaders -> evict -> settle -> (uncordon)
             \______ nothing changed _____/ \__________ undone by uncordon __________/
    forced:  survey -> approve -> survey -> cordon -> replace -> move leaders -> (proof)  ! taint -> replace -> settle
             \______ nothing changed _____/ \____________ undone by uncordon ____________/  \____ forward only ____/

What leads from the node moves by its own procedure, as a child under its own lock, with its own approvals and its own undo.
Evictions respect disruption budgets. One that refuses for too long holds the run up, by name, until the budget allows, or a
person insists (the pod is then deleted all the same), or cancels. Every eviction is safe by itself, so the undo is to let
pods on again: what has moved stays where it is now.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.nodes.models import Cordoned, Drained, NodePod, NodeSurvey
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome
from activities.run.models.todo import Todo, todo
from estate.nodes import NodeTarget
from gate.record import Mode
from workflows.nodes import steps
from workflows.nodes.lost_node import Evacuation
from workflows.nodes.planning import make_forced_node_plan, make_node_plan, not_ready, waiting_for_a_node
from workflows.postgres.recovery import approved
from workflows.run import outcome
from workflows.run.inputs import parse, said
from workflows.run.models import Insistence, NodeFailoverRequest, Run, Status
from workflows.run.phases import Phase
from workflows.run.preconditions import admitted
from workflows.run.state import Journal
from workflows.run.uncancellable import uncancellable
from workflows.run.voting import Decidable


@workflow.defn(name="node-failover")
class NodeFailover(Decidable):
    """Empties one node; its workflow ID is the node's lock."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Set every attribute here: a handler may run before ``run`` does."""
        self._request, self._bad_input = parse(NodeFailoverRequest, args)
        self._journal = Journal(self._request)
        self._survey: NodeSurvey | None = None
        self._takes_pods = self._proof_needed = False

    @workflow.run
    async def run(self, *_: Any) -> outcome.Summary:  # noqa: ANN401
        """Empty the node, or let everything be and say why."""
        return await outcome.conclude(self._journal, self._story())

    @workflow.signal(description="Sent by a database's run that waits for proof that this node is stopped.")
    def proof_needed(self, *_: Any) -> None:  # noqa: ANN401
        """Have the machine's control plane asked at once, and the machine ended where the estate lets a run."""
        self._proof_needed = True

    @workflow.update(description='Delete what a disruption budget protects: {"by": "mona", "node": "node-2"}')
    def insist(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Take the word (``Insistence``) and return the status after it."""
        self._journal.insisted_by = self._insistence(args).by
        self._journal.show()
        return self._journal.status

    @insist.validator
    def _may_insist(self, *args: Any) -> None:  # noqa: ANN401
        self._insistence(args)

    def _insistence(self, args: tuple[Any, ...]) -> Insistence:
        """Return the word. Raises ValueError when it does not count."""
        word = said(Insistence, args)
        target = self._journal.target
        if target is None or self._journal.phase is not Phase.BLOCKED:
            message = "no disruption budget holds this run up; there is nothing to insist on"
            raise ValueError(message)
        if word.node != target.name:
            message = f"node: {word.node} is not the node of this run; that is {target.name}"
            raise ValueError(message)
        if not target.knows(word.by):
            message = f"by: {word.by} cannot insist; the estate's people are {', '.join(sorted(target.people)) or 'nobody'}"
            raise ValueError(message)
        return word

    async def _story(self) -> None:
        request, journal = admitted(self._journal, self._request, self._bad_input), self._journal
        target = await steps.resolve(request.node)
        journal.target = target
        if request.run is Run.PLAN:
            await self._plan(request, target)
            journal.close(Outcome.PLANNED_ONLY, "nothing was changed")
            return
        if request.attest:
            journal.attest(request.by, target)
        policies = target.settings.approvals
        policy = policies.forced if request.mode is Mode.FORCED else policies.planned
        await approved(journal, policy, target, lambda: self._plan(request, target))
        survey = self._survey
        if survey is None:
            raise refuse(Refusal.UNREACHABLE, "there is no survey")
        cordoned: Cordoned | None = None
        try:
            journal.enter(Phase.CORDONING)
            journal.would_undo = (f"let pods on {target.name} again",)
            cordoned = await uncancellable(steps.cordon(target))
            if request.mode is Mode.FORCED:
                await Evacuation(journal, request, target, survey, lambda: self._proof_needed).run(cordoned.at)
                await steps.begin_return(target)
            else:
                await self._empty(request, target, survey, cordoned)
        except (asyncio.CancelledError, FailureError) as error:
            await uncancellable(self._let_on_again(target, error, before=bool(cordoned and cordoned.before)))
            raise
        journal.close(Outcome.COMPLETED, self._end(request, target))

    async def _plan(self, request: NodeFailoverRequest, target: NodeTarget) -> Plan:
        journal = self._journal
        journal.enter(Phase.SURVEYING)
        self._proof_needed = False  # a claim that still stands is found by the survey
        survey = self._survey = await steps.survey(target)
        journal.facts["node"] = survey
        forced = request.mode is Mode.FORCED
        plan = make_forced_node_plan(target, survey) if forced else make_node_plan(survey, uncordon=request.uncordon)
        journal.plan = plan
        journal.show()
        return plan

    async def _empty(self, request: NodeFailoverRequest, target: NodeTarget, survey: NodeSurvey, cordoned: Cordoned) -> None:
        journal = self._journal
        for carried in survey.carries:
            journal.enter(Phase.MOVING, f"{carried.workflow} {carried.target} (failover status {carried.target})")
            moved = await steps.move(carried, request, target)
            journal.facts["moved_first"] = (*journal.facts.get("moved_first", ()), moved)
        journal.facts["drained"] = await self._drain(target)
        journal.enter(Phase.SETTLING)
        moving = tuple(pod for pod in survey.to_evict if not pod.homeless)
        await self._settle(target, moving, cordoned)
        if not request.uncordon:
            journal.left_to_do = waiting_for_a_node(survey)
            return
        self._takes_pods = not (await uncancellable(steps.uncordon(target))).before
        if survey.homeless:
            await self._settle(target, survey.to_evict, cordoned)

    async def _settle(self, target: NodeTarget, pods: tuple[NodePod, ...], cordoned: Cordoned) -> None:
        """Wait until the controllers of ``pods`` have what they want; STRANDED where they do not in time."""
        journal = self._journal
        settled = await steps.settled(target, pods, workflow.now() + target.settings.settled_within)
        journal.facts["node_settled"] = settled
        journal.facts["recovery_seconds"] = (settled.at - cordoned.at).total_seconds()
        if not settled.whole:
            journal.left_to_do = not_ready(settled)
            raise refuse(Refusal.STRANDED, f"{target.name} is empty, but not all that left it is ready elsewhere")

    async def _drain(self, target: NodeTarget) -> Drained:
        """Evict until nothing is left; where a budget refuses for too long, until it allows or a person insists."""
        journal = self._journal
        deadline = None
        journal.enter(Phase.EVICTING)
        while True:
            drained = await self._evict(target)
            if not drained.blocked:
                return drained
            deadline = deadline or workflow.now() + target.settings.decided_within
            words = "; ".join(f"{one.pod}: {one.words}" for one in drained.blocked)
            if workflow.now() >= deadline:
                raise refuse(Refusal.BLOCKED, f"a disruption budget does not let it go ({words}), and nobody insisted")
            journal.enter(Phase.BLOCKED, words)

    async def _evict(self, target: NodeTarget) -> Drained:
        """Evict until nothing is left or a budget has refused for too long; a word that comes meanwhile counts at once."""
        journal = self._journal
        evicting = steps.drain(target, journal.insisted_by)
        if journal.insisted_by:
            return await evicting
        try:
            await workflow.wait_condition(lambda: evicting.done() or bool(journal.insisted_by))
        except asyncio.CancelledError:
            await uncancellable(steps.stopped(evicting))  # nothing may be evicted once pods are let on again
            raise
        if evicting.done():
            return await evicting
        await steps.stopped(evicting)
        return await steps.drain(target, journal.insisted_by)

    async def _let_on_again(self, target: NodeTarget, error: BaseException, *, before: bool) -> None:
        """Undo the cordon, unless the node is given up or empty and only what left it is missing, or it was there before."""
        journal = self._journal
        if outcome.cause_of(error)[0] == Refusal.STRANDED or before:
            if journal.mode == Mode.FORCED.value:
                await steps.begin_return(target)
            return
        journal.phase = Phase.UNDOING
        try:
            await steps.uncordon(target)
        except FailureError as failure:
            message = f"kubectl uncordon {target.name}"
            journal.left_to_do = (todo(Todo.UNCORDON, message, target.name),)
            words = f"{outcome.cause_of(error)[1]}; the undo failed: {outcome.cause_of(failure)[1]}"
            raise refuse(Refusal.ROLLBACK_INCOMPLETE, words) from error
        moved = journal.facts.get("moved_first", ())
        journal.facts["undone"] = (f"{target.name} takes pods again", *(f"{one} stays moved" for one in moved))

    def _end(self, request: NodeFailoverRequest, target: NodeTarget) -> str:
        if request.mode is Mode.FORCED:
            return f"everything of {target.name} is back elsewhere; it takes pods again when it is back and well"
        drained: Drained = self._journal.facts["drained"]
        kept = "takes pods again" if self._takes_pods else "is cordoned"
        return f"{len(drained.gone)} pods left {target.name}, which {kept}"
