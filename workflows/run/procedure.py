"""The skeleton of every procedure: read, look up, plan, approve, execute, conclude. A subject fills in what is its own.

    admitted -> resolve -> [dry run: plan, preview] -> recover -> plan -> approve -> plan again -> execute -> conclude

A procedure is a ``ProcedureSpec`` (what others need to know of it) and a class derived from ``Procedure``. Temporal wants
``__init__`` and ``run`` in the registered class itself; they are two lines each.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from temporalio import workflow

from activities.clients.bundle import Clients
from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from activities.run.models.report import Details, Outcome
from activities.run.watches import WATCH_TYPES
from estate.base import ApprovalPolicy, Target
from gate.record import Mode
from workflows.run import outcome
from workflows.run.automatic import begun_by_watch, by_itself
from workflows.run.checklists import agreed_with, listed_before, looked_before, reviewed_after
from workflows.run.control import Leeway, RunControl
from workflows.run.controllable import Controllable
from workflows.run.controlling import held_back
from workflows.run.granted import granted_by_parent
from workflows.run.inputs import parse
from workflows.run.models import Request, Run
from workflows.run.phases import ReportPhase, Shown
from workflows.run.preconditions import admitted
from workflows.run.state import RunState
from workflows.run.voting import approved, decided_again, goes_unasked, no_word

R = TypeVar("R", bound=Request)
T = TypeVar("T", bound=Target)
P = TypeVar("P", bound=Plan)
D = TypeVar("D", bound=Details)


@dataclass(frozen=True)
class Remedies:
    """What a person is told of a run that did not come to its end. ``{target}`` and ``{close}`` are filled in."""

    stranded: str = "It is past its point of no return; what is listed as left to do is not done."
    undo_incomplete: str = "The undo did not come to its end; what is listed as left to do is not undone."
    cut_off: str = "It was ended from outside ({close}): nothing was undone."
    look: str = ""
    """What to type; empty: the procedure's own plan."""
    again: str = ""
    """What starting it again does."""


@dataclass(frozen=True)
class ProcedureSpec:
    """All that others need to know of a procedure. ``workflows.catalog`` lists them; nothing else does."""

    runs: type[Any]
    """Its registered class; a ``Procedure``."""
    request: type[Request]
    target: type[Target]
    plan: type[Plan]
    details: type[Details]
    serves: Callable[[Clients], Sequence[object]]
    """From the worker's clients to the objects whose methods are the procedure's steps; procedures may share them."""
    steps: Mapping[str, Shown] = field(default_factory=dict)
    """Registered activity name → where it is shown, and which of ``details`` its answer fills in."""
    rows: tuple[ReportPhase, ...] = ()
    """Rows that its live progress shows before they are reached."""
    recovery: str = ""
    """What ``details.recovery_seconds`` counts: such a procedure is judged by it, and not by an outage of writes."""
    remedies: Remedies = Remedies()
    drills: bool = False
    example: str = "orders"
    """A name that a target may have, for refusals."""

    @property
    def name(self) -> str:
        """Registered name of the workflow."""
        definition = workflow._Definition.must_from_class(self.runs)  # noqa: SLF001 - the SDK shows it nowhere else
        return str(definition.name)

    @property
    def leeways(self) -> tuple[Leeway, ...]:
        """Return which of its steps people may skip or force."""
        leeways: tuple[Leeway, ...] = self.runs.leeways
        return leeways

    @property
    def policy(self) -> Callable[[Any, str, str], ApprovalPolicy]:
        """From target, mode and run to who must approve."""
        policy: Callable[[Any, str, str], ApprovalPolicy] = self.runs.policy
        return policy


class Procedure(Controllable, Generic[R, T, P, D]):
    """One run of a procedure."""

    asks: ClassVar[type[Request]]
    details: ClassVar[type[Details]]
    drills: ClassVar[bool] = False
    outlives: ClassVar[bool] = False
    """A run of it goes on when the one that has begun it has ended."""
    waits_out_absence: ClassVar[bool] = False
    """Time in which Temporal or all workers are away counts against no step (``workflows.run.steps``)."""
    leeways: ClassVar[tuple[Leeway, ...]] = ()
    """Steps that people may skip or force; offered to them by ``state.control.offer``."""

    request: R
    target: T
    state: RunState[D]

    def prepare(self, args: tuple[Any, ...]) -> None:
        """Set every attribute: a handler may run before ``run`` does."""
        read, self._fault = parse(self.asks, args)
        self._read: Any = read
        self.state = RunState(read, self.details(), control=RunControl(self.leeways))  # type: ignore[arg-type]  # its own

    async def conclude(self) -> outcome.Summary:
        """Do all of it, and return or raise what the workflow ends with."""
        return await outcome.conclude(self.state, self.story())

    async def story(self) -> None:
        """Do all of it."""
        request = self.request = admitted(self.state, self._read, self._fault, drills=self.drills)
        target = self.target = await self.resolve()
        self.state.target = target
        if request.attests:
            self.state.attest(request.by, target, signed_only=self.counts_signed_only)
        if request.run is Run.PLAN:
            plan = await self.make_plan()
            self.state.preview = await self.preview(plan)
            self.state.warnings = (*self.warns(plan), *await looked_before(self.state, self.target))
            self.state.close(Outcome.DRY_RUN, self.would(plan))
            return
        self.state.by_watch = await begun_by_watch(target)
        self.state.granted = await granted_by_parent(outlives=self.outlives)
        if await self.recover():
            return
        plan = await self.agreed()
        if self.state.owes_word:
            raise refuse(Refusal.NO_PROOF, no_word(self.state))
        while await held_back(self.state):
            plan = await decided_again(self.state, plan, self.make_plan)
        ended = await self.execute(plan)
        ended += await reviewed_after(self.state, self.target, asks=not goes_unasked(self.state, target))
        self.state.close(self.came_out(), self.state.control.after(ended))

    @property
    def asker(self) -> str | None:
        """The person who asks; ``None``: nobody is named, or detection has begun this run and asks by its own name."""
        by = self.request.by
        return None if by in WATCH_TYPES.values() and by_itself() else by or None

    @abstractmethod
    async def resolve(self) -> T:
        """Look the target up in the estate."""

    @abstractmethod
    async def make_plan(self) -> P:
        """Survey, decide and keep the plan in ``state``. ApplicationError: the refusal that applies."""

    @staticmethod
    def policy(target: Any, mode: str, run: str) -> ApprovalPolicy:  # noqa: ANN401, ARG004 - a target of the procedure
        """Return who must approve; nobody, unless a procedure says otherwise."""
        return ApprovalPolicy()

    @abstractmethod
    async def execute(self, plan: P) -> str:
        """Carry the plan out, undo what failed before the point of no return; return how it ended, in one sentence."""

    async def preview(self, plan: P) -> str:  # noqa: ARG002 - for those that can
        """Return what the target itself says would change, as a diff."""
        return ""

    def would(self, plan: P) -> str:  # noqa: ARG002 - for those that say more
        """Return what a dry run has found, in one sentence."""
        return "nothing was changed"

    def warns(self, plan: P) -> tuple[str, ...]:
        """Return what a dry run warns of; a forced one of nothing: what it says beside the planned one is its price."""
        return () if plan.mode is Mode.FORCED else (*plan.warned(), *self.nearly(plan))

    def nearly(self, plan: P) -> tuple[str, ...]:  # noqa: ARG002 - for those that have limits
        """Return what would soon be refused."""
        return ()

    async def recover(self) -> bool:
        """Finish or undo what an interrupted run left; return whether that was all there is to do."""
        return False

    def came_out(self) -> Outcome:
        """Return the outcome of a run that has come to its end."""
        return Outcome.COMPLETED

    def decides(self, target: Target) -> ApprovalPolicy:
        """Return who must approve this run: they control it too."""
        request = self.state.request
        return self.policy(target, self.state.mode, request.run.value if request else "")

    async def agreed(self) -> P:
        """Return the plan that people have agreed to."""
        return await self.agreed_to(await self.make_plan())

    async def agreed_to(self, plan: P) -> P:
        """Return ``plan``, made again if people had to decide. ApplicationError: they did not agree, or it has changed."""
        state, target = self.state, self.target
        policy = self.policy(target, state.mode, self.request.run.value)
        async with listed_before(state, target, asks=not goes_unasked(state, target)) as listed:
            agreeing = approved(state, policy, target, plan, self.make_plan)
            agreed, waited = await agreed_with(listed, agreeing)
        return await decided_again(state, agreed, self.make_plan) if waited else agreed
