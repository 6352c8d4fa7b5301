"""What people send to the workflows, and what queries answer.

Requests refuse unknown keys: a misspelt ``mode`` must not become a default at three in the morning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from activities.run.models.checks import CheckEntry
from activities.run.models.control import ControlEntry, Offer
from activities.run.models.plan import Plan
from activities.run.models.report import Outcome, Vote
from activities.run.models.todo import LeftToDo
from activities.run.models.wire import Wire
from activities.run.signed_words import LONGEST
from gate.record import Mode
from workflows.run.phases import Phase

TASK_QUEUE = "failover"
READINESS_PLANS = "plan/readiness/"
"""What the workflow ID of every dry run of a readiness pass begins with."""
TASK_TIMEOUT = timedelta(seconds=2)
"""How long a worker may think about one step of a workflow: one that dies meanwhile holds the run up for as long.
Starters pass it; a run started in the Temporal UI gets the server's default (10 s unless its configuration says less)."""

ShortName = Annotated[str, Field(min_length=1, max_length=253)]
Person = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(max_length=1000)]


class Run(StrEnum):
    """How real a run is; the same code serves all."""

    PLAN = "plan"
    DRILL = "drill"
    REAL = "real"


class Input(BaseModel):
    """What is typed into a form or sent by a command."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Signable(Input):
    """What one person says, and may sign."""

    signature: str = Field(default="", max_length=LONGEST)
    """By a key of the person, over all of this and the run (``activities.run.signed_words``); empty: it proves nothing."""
    expires: AwareDatetime | None = None
    """Until when the signature counts."""
    newer: ClassVar[tuple[str, ...]] = ("signature", "expires")
    """Fields that a worker of an earlier version would refuse; they stand last."""

    @property
    def said_of(self) -> str:
        """Member, node or step that it is said of; empty where it is of the run."""
        return next((str(found) for name in ("member", "node", "step") if (found := getattr(self, name, ""))), "")

    @property
    def remark(self) -> str:
        """What the person adds."""
        return str(getattr(self, "note", "") or getattr(self, "reason", ""))

    @model_serializer(mode="wrap")
    def _as_before_where_unsigned(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out newer fields where nothing is signed."""
        told: dict[str, Any] = dump(self)
        last = {key: told.pop(key) for key in self.newer if key in told}  # some writers leave out what is None
        return {**told, **last} if self.signature else told


class Request(Input):
    """Input of a procedure: short enough to type into a form. It names one target and an intent."""

    subject: ClassVar[str]
    """What the target is: the first part of its lock's workflow ID."""
    names: ClassVar[str]
    """The field that names the target."""
    kind: ClassVar[str] = ""
    """What the run is called where it has no mode."""
    modes: ClassVar[tuple[str, ...]] = ()
    """Modes that can be asked for; the first is meant where none is named."""
    options: ClassVar[dict[str, str]] = {}
    """Option of the command → field, where the two are called differently."""
    instead: ClassVar[dict[str, str]] = {}
    """Option that it does not have → what to do instead."""

    run: Run = Run.PLAN
    by: Person = ""
    reason: Reason = ""

    @property
    def target(self) -> str:
        """Name of the target."""
        return str(getattr(self, self.names))

    @property
    def lock(self) -> str:
        """Workflow ID of a run that changes the target."""
        return lock_of(self.subject, self.target)

    @property
    def called(self) -> str:
        """Mode as asked, for labels and reports; what the run is called where there is none."""
        mode = getattr(self, "mode", None)
        return mode.value if isinstance(mode, StrEnum) else self.kind

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first; ``None`` when nothing is."""
        if self.attests and not (self.called == Mode.FORCED.value and self.by.strip()):
            return "attest: only with mode forced and by: an attestation needs a name"
        return None

    @property
    def doubt(self) -> str | None:
        """What a command refuses although a run would go on: an option that has no effect."""
        return None

    @property
    def attests(self) -> bool:
        """Whether ``by`` also says that the old leader is stopped, or is to be given up at any price."""
        return bool(getattr(self, "attest", False))


def _of_a_failover(mode: object) -> object:
    """Return ``mode`` if a failover has it; giving writes up is ``postgres-rollback``'s."""
    if mode not in ("planned", "forced"):
        raise PydanticCustomError("enum", "Input should be 'planned' or 'forced'")
    return mode


FailoverMode = Annotated[Mode, BeforeValidator(_of_a_failover)]


class Decision(Signable):
    """Input of the update ``decide`` and the signal ``vote``."""

    by: ShortName
    plan: ShortName
    """Digest of the plan that is approved or rejected, as ``status`` shows it."""
    approve: bool
    role: str = ""
    """Role in which ``by`` votes; may be left out when only one of the person's roles is still needed."""
    attest: bool = False
    """Forced: ``by`` also says that the old primary is stopped, or is to be stopped at any price."""
    note: str = Field(default="", max_length=1000)


class CancelNote(Signable):
    """Who cancels a run, and why: the reason that a cancel carries in Temporal, as JSON. Older workers pass it over.

    Temporal cancels a run for anybody: a signature proves only whose name the report may believe.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    by: Person = ""
    reason: Reason = ""

    @property
    def told(self) -> str:
        """The same for people, to be read behind *cancelled*."""
        who = f"by {self.by}" if self.by else "by somebody, by command"
        return f"{who}: {self.reason}" if self.reason else who


def cancel_note(reason: str | None) -> CancelNote | None:
    """Return what the reason of a cancel says; ``None``: it was not asked for by the command, or by an older one."""
    try:
        return CancelNote.model_validate_json(reason) if reason else None
    except ValidationError:
        return None


class Attestation(Signable):
    """Input of the update and the signal ``attest``."""

    by: ShortName
    member: ShortName
    """The old primary: naming it is what makes the word deliberate."""
    node: str = Field(default="", max_length=253)
    """It was said of this node, and passed on: that counts as proof, not as an order to stop what lives."""
    run: str = Field(default="", max_length=253)
    """Of ``node``'s run in which it was said; only where it was signed there."""
    note: str = Field(default="", max_length=1000)
    """How ``by`` knows: machine deallocated, power off."""
    newer = ("run", "signature", "expires")


class ItemWord(Signable):
    """Input of the update ``tick`` and the signal ``ticked``."""

    by: ShortName
    item: ShortName
    """Key of the item."""
    done: bool = True
    """``False``: it is not so, or what was said is taken back."""
    note: str = Field(default="", max_length=1000)
    """How ``by`` knows."""

    @property
    def said_of(self) -> str:
        """The item, which is no member, node or step, and whether it is done."""
        return f"item {self.item}" if self.done else f"item {self.item} is not done"


class ApprovalStatus(Wire):
    """Where an approval stands."""

    needed: int
    roles: tuple[str, ...]
    votes: tuple[Vote, ...]
    expires_at: datetime | None = None
    signed: bool = False
    """Only signed votes count."""
    run: str = ""
    """What a signature names as the run."""
    people: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Role that is still open → who can give its approval."""

    @property
    def missing(self) -> int:
        """How many more people must approve."""
        return max(self.needed - sum(vote.approve for vote in self.votes), 0)

    @property
    def of_whom(self) -> str:
        """The roles that are open, with those who can give them: ``DBA (dana)``."""
        filled = {vote.role for vote in self.votes}
        open_roles = [role for role in self.roles if role not in filled]
        return ", ".join(named(role, self.people.get(role, ())) for role in open_roles)


class Status(Wire):
    """Answer of the query ``status``."""

    shown: ClassVar[bool] = True

    phase: Phase
    cluster: str
    mode: str
    run: str
    by: str
    reason: str
    started_at: datetime
    rto_seconds: float | None = None
    plan: SerializeAsAny[Plan] | None = None
    approval: ApprovalStatus | None = None
    would_undo: tuple[str, ...] = ()
    outcome: Outcome | None = None
    explanation: str = ""
    """One sentence: what is going on, or why it ended."""
    left_to_do: tuple[LeftToDo, ...] = ()
    forward_only: bool | None = None
    """Whether the run is past its point of no return, so that a cancel changes nothing; ``None`` from an older worker."""
    can_be_ended: bool = False
    """Past the point of no return: only the last wait is left, and a cancel ends it."""
    waits_for_attestation: str = ""
    """The member that somebody must say is stopped; empty when nobody must."""
    attested_by: str = ""
    attested_key: str = ""
    """Fingerprint of the SSH key that has signed it."""
    insisted_by: str = ""
    """Nodes: who said that what disruption budgets protect is to be deleted all the same."""
    held: str = ""
    """By whom the run is held, since when and why; empty: by nobody."""
    can_skip: tuple[Offer, ...] = ()
    can_force: tuple[Offer, ...] = ()
    """Steps of which people may use the ungraceful form now."""
    control: tuple[ControlEntry, ...] = ()
    """What people have ordered: holds, releases, skipped and forced steps."""
    checks: tuple[CheckEntry, ...] = ()
    """Items of its checklists, as they stand."""


def named(role: str, people: tuple[str, ...]) -> str:
    """Return a role with those who can give its approval; just the role where nobody is known."""
    return f"{role} ({', '.join(people)})" if people else role


def lock_of(subject: str, target: str) -> str:
    """Return the workflow ID that a run which changes ``target`` must have: it is the target's lock."""
    return f"{subject}/{target}"


def plan_id(lock: str) -> str:
    """Return the ID of a run that changes nothing at the target whose lock is ``lock``."""
    return f"plan/{lock}"


def plan_beside(workflow_id: str, lock: str) -> str:
    """Return the ID of a plan that the run ``workflow_id`` has made as a part of its own.

    A plan that a readiness pass makes stays apart from those that people make: theirs end an earlier one of the same ID.
    """
    return f"{READINESS_PLANS}{lock}" if is_of_readiness(workflow_id) else plan_id(lock)


def is_of_readiness(workflow_id: str) -> bool:
    """Whether ``workflow_id`` is that of a dry run of a readiness pass, or of the pass."""
    return workflow_id.split("/")[:2] == READINESS_PLANS.split("/")[:2]


def is_plan(workflow_id: str) -> bool:
    """Whether ``workflow_id`` is that of a run that changes nothing."""
    return workflow_id.partition("/")[0] == "plan"


class DoctorRequest(Input):
    """Input of ``doctor``."""

    cluster: ShortName | None = None
    """``None`` looks at every cluster."""
    brief: bool | None = None
    """Only whether each cluster takes writes."""
