"""Who may agree to a plan, who has, and until when.

A vote names the plan's digest, so that yesterday's approval cannot start today's plan; the requester never approves; one
person fills one role; the first rejection ends the run. A vote proves who sent it only by a signature (the Temporal UI
sends no identity); one without is reported as unverified, and counts where the policy does not ask for signed ones.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.run.models.plan import Plan
from activities.run.models.report import Vote
from estate.base import ApprovalPolicy, fold, holders
from workflows.run.models import ApprovalStatus, Decision


class ApprovalGate:
    """Collects votes on one plan."""

    def __init__(self, policy: ApprovalPolicy, people: dict[str, tuple[str, ...]], requested_by: str, run: str = "") -> None:
        """Start with no plan: votes are refused until ``open`` is called. ``run``: what a signature names as the run."""
        self._policy = policy
        self._listed = people
        self._people = {fold(name): roles for name, roles in people.items()}
        self._requested_by = requested_by
        self._run = run
        self._plan: Plan | None = None
        self._expires_at: datetime | None = None
        self.votes: list[Vote] = []

    def open(self, plan: Plan, now: datetime) -> timedelta:
        """Accept votes on ``plan`` from ``now`` on; return how long."""
        self._plan = plan
        self._expires_at = now + self._policy.window
        return self._policy.window

    @property
    def needed(self) -> int:
        """How many different people must approve; 0 when the policy asks for nobody."""
        return self._policy.needed

    @property
    def approved(self) -> bool:
        """Whether enough roles are filled."""
        return sum(vote.approve for vote in self.votes) >= self.needed

    @property
    def rejection(self) -> Vote | None:
        """The vote that ended it, if one did."""
        return next((vote for vote in self.votes if not vote.approve), None)

    @property
    def status(self) -> ApprovalStatus:
        """What ``status`` shows."""
        return ApprovalStatus(
            needed=self.needed,
            roles=self._policy.roles,
            votes=tuple(self.votes),
            expires_at=self._expires_at,
            signed=self._policy.signed,
            run=self._run,
            people={role: self._holders(role) for role in self._open_roles()},
        )

    def check(self, decision: Decision, now: datetime) -> str:
        """Return the role that the vote would fill; change nothing.

        Raises:
            ValueError: the vote does not count; the message says why and what would.

        """
        plan = self._open_plan(now)
        if decision.plan != plan.digest:
            message = f"plan: {decision.plan} is not the plan that waits; look at that first: failover status {plan.cluster}"
            raise ValueError(message)
        if fold(decision.by) == fold(self._requested_by):
            message = f"by: {decision.by} requested this run and cannot decide on it; somebody else must"
            raise ValueError(message)
        if any(fold(vote.by) == fold(decision.by) for vote in self.votes):
            message = f"by: {decision.by} has voted already; one person fills one role"
            raise ValueError(message)
        if self._policy.signed and not decision.signature:
            message = (
                f"signature: only signed votes count here; failover approve {plan.cluster} --by {decision.by} --key FILE"
            )
            raise ValueError(message)
        return self._role_of(decision)

    def record(self, decision: Decision, now: datetime, key: str = "") -> None:
        """Count a vote that ``check`` accepts. ``key``: fingerprint of the key that has signed it.

        Raises:
            ValueError: as ``check``.

        """
        role = self.check(decision, now)
        self.votes.append(
            Vote(
                by=decision.by,
                role=role,
                approve=decision.approve,
                plan=decision.plan,
                note=decision.note,
                attest=decision.attest and decision.approve,
                at=now,
                verified=bool(key),
                key=key,
            )
        )

    def _open_plan(self, now: datetime) -> Plan:
        if self._plan is None:
            message = "there is no plan to decide on yet; ask for the status first"
            raise ValueError(message)
        if self.needed == 0 or self.approved or self.rejection:
            message = "nothing waits for a decision"
            raise ValueError(message)
        if self._expires_at is not None and now >= self._expires_at:
            message = f"the window for approval ended at {self._expires_at:%H:%M:%S} UTC; start it again"
            raise ValueError(message)
        return self._plan

    def _role_of(self, decision: Decision) -> str:
        own = [role for role in self._people.get(fold(decision.by), ()) if role in self._open_roles()]
        if not own:
            raise ValueError(self._why_not(decision.by))
        if decision.role and decision.role not in own:
            message = f"role: {decision.by} cannot fill {decision.role}; can fill {', '.join(own)}"
            raise ValueError(message)
        if not decision.role and len(own) > 1:
            message = f"role: {decision.by} could fill {' or '.join(own)}; say which"
            raise ValueError(message)
        return decision.role or own[0]

    def _why_not(self, by: str) -> str:
        """Return why ``by`` can fill no role that is open, and who can."""
        needed = "; ".join(
            f"{role}: {', '.join(self._holders(role)) or 'nobody, see people in the estate'}" for role in self._open_roles()
        )
        if fold(by) not in self._people:
            return f"by: {by}: nobody of that name; {needed}"
        return f"by: {by} holds none of the roles still needed; {needed}"

    def _open_roles(self) -> list[str]:
        filled = {vote.role for vote in self.votes}
        return [role for role in self._policy.roles if role not in filled]

    def _holders(self, role: str) -> tuple[str, ...]:
        """Return who can fill ``role``: not the requester, and nobody who has voted."""
        voted = {fold(vote.by) for vote in self.votes}
        return tuple(name for name in holders(self._listed, role, but=self._requested_by) if fold(name) not in voted)
