"""The handlers through which people control a run: hold it, let it go on, skip a step, or force one.

An order alone changes nothing: it is kept in the run's state, and the run looks at it where that is safe
(``workflows.run.controlling``). One that does not count is answered with a sentence, or dropped where it came as a signal.
Where the policy counts signed votes only, it counts signed orders only (``workflows.run.heard``).
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.run.models.control import Control, ControlEntry
from workflows.run.control import HoldOrder, ReleaseOrder, StepOrder
from workflows.run.heard import said_here
from workflows.run.inputs import said
from workflows.run.models import Run, Status
from workflows.run.people import must_be_one_of
from workflows.run.phases import Phase
from workflows.run.voting import Decidable

Order = HoldOrder | ReleaseOrder | StepOrder

_ASKS: dict[Control, type[Order]] = {
    Control.HOLD: HoldOrder,
    Control.RELEASE: ReleaseOrder,
    Control.SKIP: StepOrder,
    Control.FORCE: StepOrder,
}
_STEP = '{"by": "dana", "step": "ready", "reason": "WHY"}'


class Controllable(Decidable):
    """Base of workflows that people may hold, and whose steps they may skip or force."""

    @workflow.update(description='Stop before the next phase: {"by": "dana", "reason": "WHY"}')
    async def hold(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Record a hold (``HoldOrder``) and return the status after it."""
        return await self.answered(self._order(Control.HOLD, args))

    @hold.validator
    def _may_hold(self, *args: Any) -> None:  # noqa: ANN401
        self._check_order(Control.HOLD, args)

    @workflow.update(description='Let a held run go on: {"by": "dana"}')
    async def release(self, *args: Any) -> Status:  # noqa: ANN401
        """End the hold (``ReleaseOrder``) and return the status after it."""
        return await self.answered(self._order(Control.RELEASE, args))

    @release.validator
    def _may_release(self, *args: Any) -> None:  # noqa: ANN401
        self._check_order(Control.RELEASE, args)

    @workflow.update(description=f"Leave a step out: {_STEP}")
    async def skip(self, *args: Any) -> Status:  # noqa: ANN401
        """Record the order (``StepOrder``) and return the status after it."""
        return await self.answered(self._order(Control.SKIP, args))

    @skip.validator
    def _may_skip(self, *args: Any) -> None:  # noqa: ANN401
        self._check_order(Control.SKIP, args)

    @workflow.update(description=f"Use the ungraceful form of a step: {_STEP}")
    async def force(self, *args: Any) -> Status:  # noqa: ANN401
        """Record the order (``StepOrder``) and return the status after it."""
        return await self.answered(self._order(Control.FORCE, args))

    @force.validator
    def _may_force(self, *args: Any) -> None:  # noqa: ANN401
        self._check_order(Control.FORCE, args)

    @workflow.signal(description="Like hold, without an answer; one that does not count is dropped.")
    async def held(self, *args: Any) -> None:  # noqa: ANN401
        """Record a hold if it counts. Never raises."""
        await self._order_by_signal(Control.HOLD, args)

    @workflow.signal(description="Like release, without an answer; one that does not count is dropped.")
    async def released(self, *args: Any) -> None:  # noqa: ANN401
        """End the hold if that counts. Never raises."""
        await self._order_by_signal(Control.RELEASE, args)

    @workflow.signal(description="Like skip, without an answer; one that does not count is dropped.")
    async def skipped(self, *args: Any) -> None:  # noqa: ANN401
        """Record the order if it counts. Never raises."""
        await self._order_by_signal(Control.SKIP, args)

    @workflow.signal(description="Like force, without an answer; one that does not count is dropped.")
    async def forced(self, *args: Any) -> None:  # noqa: ANN401
        """Record the order if it counts. Never raises."""
        await self._order_by_signal(Control.FORCE, args)

    async def _order_by_signal(self, what: Control, args: tuple[Any, ...]) -> None:
        """Follow an order if it counts. An error in a signal would wedge the run."""
        try:
            await self._order(what, args)
        except (ValueError, FailureError) as complaint:
            workflow.logger.warning("Ignored order to %s: %s", what.value, complaint)

    async def _order(self, what: Control, args: tuple[Any, ...]) -> None:
        """Keep an order. Raises as ``Hears.key_of_word``."""
        order = self._check_order(what, args)
        word = said_here(what.value, order)
        key = await self.key_of_word(word, order.signature)
        self._check_order(what, args)  # the run has gone on meanwhile
        self.count(word)
        ordered = {name: getattr(order, name) for name in type(order).model_fields if name not in order.newer}
        self.state.control.keep_order(ControlEntry(what=what, at=workflow.now(), key=key, **ordered))
        self.state.show()

    def _check_order(self, what: Control, args: tuple[Any, ...]) -> Order:
        """Return what is ordered. ValueError: it does not count; the message says why and what would."""
        order, state = said(_ASKS[what], args), self.state
        self._must_be_open()
        self._must_be_allowed(order.by)
        if isinstance(order, StepOrder):
            state.control.must_be_offered(what, order.step)
        elif isinstance(order, HoldOrder):
            state.control.must_be_new(order)
        elif state.control.hold is None:
            message = "nobody holds this run; there is nothing to release"
            raise ValueError(message)
        step = order.step if isinstance(order, StepOrder) else ""
        self.must_be_signed(what.value, order, of=step)
        return order

    def _must_be_open(self) -> None:
        state = self.state
        if state.request is None or state.request.run is Run.PLAN:
            message = "this run is a plan and changes nothing: it can only be cancelled"
            raise ValueError(message)
        if state.phase is Phase.UNDOING:
            message = "the run is undoing what it has changed: nothing of that is held, skipped or forced"
            raise ValueError(message)
        if state.outcome is not None:
            message = f"the run has ended ({state.outcome.value})"
            raise ValueError(message)

    def _must_be_allowed(self, by: str) -> None:
        """Return if ``by`` has a role of the policy, or is known to the estate where the policy asks for none."""
        target = self.state.target
        if target is None:
            message = "the run has not looked its target up yet; try again in a few seconds"
            raise ValueError(message)
        must_be_one_of(self.decides(target).roles, by, target, "control this run")
