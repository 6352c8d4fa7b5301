"""What people send to the workflows, and what queries answer.

Requests refuse unknown keys: a misspelt ``mode`` must not become a default at three in the morning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field
from pydantic_core import PydanticCustomError

from activities.run.models.plan import Plan
from activities.run.models.report import Outcome, Vote
from activities.run.models.todo import LeftToDo
from activities.run.models.wire import Wire
from estate.nodes import NodeTarget
from gate.record import Mode
from workflows.run.durations import Duration
from workflows.run.phases import Phase

TASK_QUEUE = "failover"
TASK_TIMEOUT = timedelta(seconds=2)
"""How long a worker may think about one step of a workflow: one that dies meanwhile holds the run up for as long.
Starters pass it; a run started in the Temporal UI gets the server's default (10 s unless its configuration says less)."""


LONGEST_PAUSE = timedelta(days=7)
"""A pause that is forgotten leaves a cluster without redundancy."""


ShortName = Annotated[str, Field(min_length=1, max_length=253)]


class Run(StrEnum):
    """How real a run is; the same code serves all."""

    PLAN = "plan"
    DRILL = "drill"
    REAL = "real"


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OfCluster(_Request):
    """What concerns one PostgreSQL cluster."""

    cluster: ShortName

    @property
    def lock(self) -> str:
        """Workflow ID of a run that changes the target."""
        return lock_id(self.cluster)


def _of_a_failover(mode: object) -> object:
    """Return ``mode`` if a failover has it; giving writes up is ``postgres-rollback``'s."""
    if mode not in ("planned", "forced"):
        raise PydanticCustomError("enum", "Input should be 'planned' or 'forced'")
    return mode


class FailoverRequest(_OfCluster):
    """Input of ``postgres-failover``: short enough to type into a form."""

    mode: Annotated[Mode, BeforeValidator(_of_a_failover)]
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    to: ShortName | None = None
    """Member that is to lead; ``None`` chooses the best standby."""
    attest: bool = False
    """Forced: ``by`` says that the old primary is stopped, or is to be stopped at any price."""


class RollbackMode(StrEnum):
    """What becomes of the writes made since the promotion."""

    LOSSLESS = "lossless"
    """Kept: the member that led before catches up first."""
    DISCARD = "discard"
    """Given up, within the caps: the member that led before leads again as it is."""


class RollbackRequest(_OfCluster):
    """Input of ``postgres-rollback``."""

    mode: RollbackMode = RollbackMode.LOSSLESS
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    max_bytes: ByteSize | None = Field(default=None, ge=0)
    """Discard: WAL written since the promotion that may be given up, for example ``1MiB``."""
    max_transactions: int | None = Field(default=None, ge=0)
    """Discard: transactions begun since the promotion that may be given up."""


class RejoinRequest(_OfCluster):
    """Input of ``postgres-rejoin``."""

    member: ShortName | None = None
    """Member to bring back; ``None`` means every member that does not follow the leader."""
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)


class AdoptRequest(_OfCluster):
    """Input of ``postgres-adopt``."""

    run: Run = Run.PLAN
    leader: ShortName | None = None
    """Member that was the primary; ``None`` takes the one whose directory is no standby's."""
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)


class RedisFailoverRequest(_Request):
    """Input of ``redis-failover``."""

    master: ShortName
    """Sentinel's name of the master, as the estate lists it."""
    mode: Annotated[Mode, BeforeValidator(_of_a_failover)]
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    attest: bool = False
    """Forced: ``by`` says that the old master is stopped, or is to be given up at any price."""
    member: ShortName | None = None
    """The master that is to be replaced, by its pod: refused where another one leads by now. Forced needs it to give up a
    master that answers."""

    @property
    def cluster(self) -> str:
        """What reports and lists call the target."""
        return self.master

    @property
    def lock(self) -> str:
        """Workflow ID of a run that changes the target."""
        return redis_lock_id(self.master)


class PodFailoverRequest(_Request):
    """Input of ``pod-failover``."""

    workload: ShortName
    """A workload of the estate."""
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    pod: ShortName | None = None
    """Drill: the pod that is ended; ``None`` takes the first that is ready."""

    @property
    def cluster(self) -> str:
        """What reports and lists call the target."""
        return self.workload

    @property
    def lock(self) -> str:
        """Workflow ID of a run that changes the target."""
        return pods_lock_id(self.workload)


class NodeFailoverRequest(_Request):
    """Input of ``node-failover``."""

    node: ShortName
    """As the cluster calls it."""
    mode: Annotated[Mode, BeforeValidator(_of_a_failover)] = Mode.PLANNED
    run: Run = Run.PLAN
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)
    uncordon: bool = False
    """Planned: let pods on the node again once all is well elsewhere; else it stays cordoned, for whoever takes its machine.
    Forced: it takes pods again when it is back and well, in any case."""
    attest: bool = False
    """Forced: ``by`` says that the node's machine is stopped, or is to be given up at any price."""

    @property
    def cluster(self) -> str:
        """What reports and lists call the target."""
        return self.node

    @property
    def lock(self) -> str:
        """Workflow ID of a run that changes the target."""
        return node_lock_id(self.node)


Request = (
    FailoverRequest
    | RejoinRequest
    | RollbackRequest
    | AdoptRequest
    | RedisFailoverRequest
    | PodFailoverRequest
    | NodeFailoverRequest
)
"""Input of a procedure that has a report."""


class NodeReturnRequest(_Request):
    """Input of ``node-return``; only ``node-failover`` starts it."""

    target: NodeTarget


class PauseRequest(_OfCluster):
    """Input of ``postgres-pause``."""

    lasts: Duration | None = None
    """How long from now on: ``2h``, ``1d``, ``PT90M``."""
    off: bool = False
    """End the pause."""
    by: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=1000)

    @property
    def fault(self) -> str | None:
        """What is wrong with the request as a whole, field first; ``None`` when nothing is."""
        if self.off:
            return None if self.lasts is None else "lasts: a pause is ended by off: give one of the two"
        if self.lasts is None:
            return 'lasts: missing; give it, for example {"lasts": "2h"}, or {"off": true} to end the pause'
        if not timedelta(0) < self.lasts <= LONGEST_PAUSE:
            return f"lasts: {self.lasts} is no pause; more than nothing, and at most {LONGEST_PAUSE.days} days"
        missing = [name for name in ("by", "reason") if not getattr(self, name).strip()]
        return f"{missing[0]}: missing; whoever finds the pause must know who asked and why" if missing else None


class DoctorRequest(_Request):
    """Input of ``doctor``."""

    cluster: ShortName | None = None
    """``None`` looks at every cluster."""


class Decision(_Request):
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


class Attestation(_Request):
    """Input of the update and the signal ``attest``."""

    by: ShortName
    member: ShortName
    """The old primary: naming it is what makes the word deliberate."""
    note: str = Field(default="", max_length=1000)
    """How ``by`` knows: machine deallocated, power off."""


class Insistence(_Request):
    """Input of the update ``insist``."""

    by: ShortName
    node: ShortName
    """Naming it is what makes the word deliberate."""
    note: str = Field(default="", max_length=1000)


class ApprovalStatus(Wire):
    """Where an approval stands."""

    needed: int
    roles: tuple[str, ...]
    votes: tuple[Vote, ...]
    expires_at: datetime | None = None


class Status(Wire):
    """Answer of the query ``status``."""

    phase: Phase
    cluster: str
    mode: str
    run: str
    by: str
    reason: str
    started_at: datetime
    rto_seconds: float | None = None
    plan: Plan | None = None
    approval: ApprovalStatus | None = None
    would_undo: tuple[str, ...] = ()
    outcome: Outcome | None = None
    explanation: str = ""
    """One sentence: what is going on, or why it ended."""
    left_to_do: tuple[LeftToDo, ...] = ()
    forward_only: bool | None = None
    """Whether the run is past its point of no return, so that a cancel changes nothing; ``None`` from an older worker."""
    waits_for_attestation: str = ""
    """The member that somebody must say is stopped; empty when nobody must."""
    attested_by: str = ""
    insisted_by: str = ""
    """Nodes: who said that what disruption budgets protect is to be deleted all the same."""


def lock_id(cluster: str) -> str:
    """Return the workflow ID that a run which changes ``cluster`` must have: it is the cluster's lock."""
    return f"postgres/{cluster}"


def redis_lock_id(master: str) -> str:
    """Return the workflow ID of a run that changes the Redis deployment ``master``."""
    return f"redis/{master}"


def pods_lock_id(workload: str) -> str:
    """Return the workflow ID of a run that changes the pods of ``workload``."""
    return f"pods/{workload}"


def node_lock_id(node: str) -> str:
    """Return the workflow ID of a run that empties ``node``."""
    return f"node/{node}"


def pause_id(cluster: str) -> str:
    """Return the workflow ID of a change of ``cluster``'s pause. It is no lock on anything else."""
    return f"pause/postgres/{cluster}"


def plan_id(lock: str) -> str:
    """Return the ID of a run that changes nothing at the target whose lock is ``lock``."""
    return f"plan/{lock}"


def is_plan(workflow_id: str) -> bool:
    """Whether ``workflow_id`` is that of a run that changes nothing."""
    return workflow_id.partition("/")[0] == "plan"
