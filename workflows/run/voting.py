"""The handlers through which people see a run and decide on it, and the wait for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.run.errors import Refusal, refuse
from activities.run.models.plan import Plan
from estate.base import ApprovalPolicy, Target
from estate.watching import Policy
from gate.record import Mode
from workflows.run.approval import ApprovalGate
from workflows.run.automatic import may_be_begun_by_watch
from workflows.run.granted import must_be_that_plan, must_fit
from workflows.run.inputs import said
from workflows.run.models import Decision, Status
from workflows.run.phases import Phase
from workflows.run.signatures import signed_by
from workflows.run.state import RunState
from workflows.run.ticking import Tickable

P = TypeVar("P", bound=Plan)


class Decidable(Tickable):
    """Base of workflows that show a plan and may wait for people."""

    @workflow.query(description="Phase, plan, approvals, and what an undo would do.")
    def status(self) -> Status:
        """Return the run as it stands."""
        return self.state.status

    @workflow.update(description='Approve or reject: {"by": "dana", "plan": "DIGEST", "approve": true}')
    async def decide(self, *args: Any) -> Status:  # noqa: ANN401 - anything can be typed into a form
        """Record a vote (``Decision``) and return the status after it. ApplicationError: it does not count."""
        return await self.answered(self._count(said(Decision, args)))

    @decide.validator
    def _may_decide(self, *args: Any) -> None:  # noqa: ANN401
        self._check_vote(said(Decision, args))

    @workflow.signal(description="Like decide, without an answer; a vote that does not count is dropped.")
    async def vote(self, *args: Any) -> None:  # noqa: ANN401
        """Record a vote (``Decision``) if it counts. Never raises: an error here would wedge the run."""
        try:
            await self._count(said(Decision, args))
        except (ValueError, FailureError) as complaint:
            workflow.logger.warning("Ignored vote: %s", complaint)

    @workflow.signal(description="Detection has begun this run, and its reason is gone.")
    def withdraw(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """End the wait for approvals; what has been decided goes on."""
        if may_be_begun_by_watch():
            self.state.withdrawn = str(args[0])[:300] if args else "no reason given"

    async def _count(self, decision: Decision) -> None:
        """Record a vote, and the word that may come with it.

        Raises:
            ValueError: it does not count.
            ActivityError: nobody could judge its signature.

        """
        self._check_vote(decision)
        key = await signed_by(decision) if decision.signature else ""
        self._check_vote(decision)  # somebody may have voted meanwhile
        self._votes().record(decision, workflow.now(), key)
        if self._carries_word(decision):
            self.state.attested_by, self.state.attested_key = decision.by, key
        self.state.show()

    def _check_vote(self, decision: Decision) -> None:
        """Raise ValueError when the vote, or the word that comes with it, does not count."""
        self._votes().check(decision, workflow.now())
        target = self.state.target
        if target and self._carries_word(decision) and (complaint := target.why_no_word(decision.by)):
            raise ValueError(complaint)

    def _carries_word(self, decision: Decision) -> bool:
        plan = self.state.plan
        return bool(decision.attest and decision.approve and plan and plan.mode is Mode.FORCED)

    def _votes(self) -> ApprovalGate:
        if self.state.approvals is None:
            message = "there is no plan to decide on yet; ask for the status first"
            raise ValueError(message)
        return self.state.approvals


async def wait_for_votes(state: RunState[Any], gate: ApprovalGate, window: timedelta) -> None:
    """Return once enough people have approved.

    Raises:
        ApplicationError: ``ApprovalExpired``, ``ApprovalRejected`` or ``Withdrawn``; nothing has changed.

    """
    try:
        await workflow.wait_condition(
            lambda: (gate.approved and not state.owes_word) or gate.rejection is not None or state.is_withdrawn,
            timeout=window,
            timeout_summary="approval window",
        )
    except TimeoutError:
        missing = f"not enough approvals within {window}: {len(gate.votes)} of {gate.needed}; nothing was changed"
        raise refuse(Refusal.APPROVAL_EXPIRED, no_word(state) if gate.approved else missing) from None
    if state.is_withdrawn and not gate.approved:
        raise refuse(Refusal.WITHDRAWN, f"withdrawn by detection: {state.withdrawn}; nothing was changed")
    if (no := gate.rejection) is not None:
        raise refuse(
            Refusal.APPROVAL_REJECTED,
            f"{no.by} ({no.role}) rejected the plan: {no.note or 'no reason given'}; nothing was changed",
        )


def no_word(state: RunState[Any]) -> str:
    """Return why a run goes no further whose request says what only a signed word may say."""
    old, name = (state.plan.suspect, state.plan.cluster) if state.plan else ("it", "TARGET")
    return (
        f"attest: only signed words count here, and nobody has said so of {old}; nothing was changed: failover attest"
        f" {name} --member {old} --by NAME --key FILE while the run waits for approval"
    )


async def approved(
    state: RunState[Any], policy: ApprovalPolicy, target: Target, plan: P, make: Callable[[], Awaitable[P]]
) -> P:
    """Wait for people as ``policy`` says, then make the plan again: hours may have passed."""
    if state.granted is not None:
        must_be_that_plan(state.granted, plan)
    if not _asks(state, policy, target):
        return plan
    if state.granted is not None:
        must_fit(state.granted, policy, _requester(state))
        return plan
    plan = _of_this_run(state, plan)
    await _people_agree(state, policy, target, plan)
    again = _of_this_run(state, await make())
    if again.digest != plan.digest:
        raise _changed(plan, again, "was approved")
    return again


async def decided_again(state: RunState[Any], plan: P, make: Callable[[], Awaitable[P]]) -> P:
    """Return ``plan``, made again: hours may have passed since. ApplicationError: ``PlanChanged``; nothing was changed."""
    again = _of_this_run(state, await make())
    if again.decisions() != plan.decisions():
        raise _changed(plan, again, "was to be carried out")
    return again


def _changed(plan: Plan, again: Plan, was: str) -> ApplicationError:
    return refuse(
        Refusal.PLAN_CHANGED,
        f"plan {plan.digest} ({plan.headline}) {was}, but the target has changed since:"
        f" now it would be {again.digest or 'no plan'} ({again.headline or again.heading()}); nothing was changed",
    )


def _asks(state: RunState[Any], policy: ApprovalPolicy, target: Target) -> bool:
    """Whether anybody must approve. ApplicationError: ``BadInput``, nobody is named who asks, and the policy must know."""
    if goes_unasked(state, target):
        return False
    if policy.needed and policy.requester_required and not _requester(state):
        raise refuse(Refusal.BAD_INPUT, "by: missing; the approval policy must know who asks")
    return policy.needed > 0


def goes_unasked(state: RunState[Any], target: Target) -> bool:
    """Whether a watch has begun the run, and the estate lets it go on without asking anybody."""
    if not state.by_watch:
        return False
    relieves = state.mode == Mode.PLANNED and target.watching.relieves  # a detection begins no other planned run
    return target.watching.policy is Policy.AUTOMATIC or relieves


def _requester(state: RunState[Any]) -> str:
    return state.request.by.strip() if state.request else ""


def _of_this_run(state: RunState[Any], plan: P) -> P:
    """Return ``plan`` with this run's own digest, and show it: an approval out of an old chat must not start another run.

    The first run's ID, since a reset keeps it and, with it, the votes. A run from before keeps the digest of the decisions.
    """
    if not workflow.patched("approval-of-one-run"):
        return plan
    bound = plan.of_run(workflow.info().first_execution_run_id)
    state.plan = bound
    return bound


async def _people_agree(state: RunState[Any], policy: ApprovalPolicy, target: Target, plan: Plan) -> None:
    """Return once enough people have approved ``plan``. ApplicationError: as ``wait_for_votes``."""
    run = workflow.info().first_execution_run_id
    votes = state.approvals = ApprovalGate(policy, target.people, _requester(state), run)
    window = votes.open(plan, workflow.now())
    state.enter(Phase.AWAITING_APPROVAL)
    asked_at = workflow.now()
    await wait_for_votes(state, votes, window)
    state.waited_for_people = (*state.waited_for_people, (asked_at, workflow.now()))
