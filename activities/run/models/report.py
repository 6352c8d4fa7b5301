"""How a run ended and what it leaves behind."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.nodes.machine_models import NodeProof
from activities.nodes.models import Drained, NodeSettled, NodeSurvey, PodsReplaced
from activities.pods.models import Mended, Replaced, Struck, WorkloadSurvey
from activities.postgres.models.post_promotion import Evicted, Reconnected, Redundancy, Verified
from activities.postgres.models.survey import Survey
from activities.postgres.models.transfer import Proof, Quiet, Routed, Settlement
from activities.redis.models import Agreed, Moved, Quiesced, RedisSurvey, RedisVerified
from activities.run.models.measure import Measurement
from activities.run.models.plan import Loss, Plan
from activities.run.models.todo import LeftToDo
from activities.run.models.wire import Wire
from gate.api import Adopted, Fenced, Promoted


class Outcome(StrEnum):
    """How a run ended."""

    PLANNED_ONLY = "plan"
    COMPLETED = "completed"
    SETTLED = "settled"
    """An earlier run's switch was finished; nothing else was done."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """Cancelled before anything had changed."""
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded"


class Vote(Wire):
    """One person's recorded decision."""

    by: str
    role: str
    approve: bool
    plan: str
    note: str = ""
    attest: bool = False
    """Said as well that the old primary is stopped, or is to be stopped at any price."""
    at: datetime | None = None
    verified: bool = False
    """``False``: self-asserted, nothing proved who sent it."""


class Known(Wire):
    """The parts of a ``RunReport`` that may be known before, or without, its end."""

    plan: Plan | None = None
    survey: Survey | None = None
    settlement: Settlement | None = None
    votes: tuple[Vote, ...] = ()
    attested_by: str = ""
    epoch: int | None = None
    fenced: Fenced | None = None
    loss: Loss | None = None
    """Discard: what has been given up, or would have been when the caps forbade it; counted after the last write."""
    proof: Proof | None = None
    promoted: Promoted | None = None
    routed: Routed | None = None
    adopted: Adopted | None = None
    verified: Verified | None = None
    redis: RedisSurvey | None = None
    """Redis: the deployment as surveyed."""
    quiesced: Quiesced | None = None
    moved: Moved | None = None
    redis_verified: RedisVerified | None = None
    agreed: Agreed | None = None
    strays: tuple[str, ...] = ()
    """Redis: servers that took themselves for the master before the run, and follow it now."""
    workload: WorkloadSurvey | None = None
    """Pods: the workload as surveyed."""
    struck: Struck | None = None
    replaced: Replaced | None = None
    mended: Mended | None = None
    recovery_seconds: float | None = None
    """Pods: from the break (a drill: from the strike) until all were ready again and the Service answered.
    Nodes: from the cordon until all was ready elsewhere."""
    node: NodeSurvey | None = None
    """Nodes: as surveyed."""
    moved_first: tuple[str, ...] = ()
    """Nodes: ``postgres-failover orders``, as far as it was done."""
    drained: Drained | None = None
    node_settled: NodeSettled | None = None
    insisted_by: str = ""
    pods_replaced: PodsReplaced | None = None
    """Nodes, forced: all that was removed."""
    node_proof: NodeProof | None = None
    """Nodes, forced: why the node counts as stopped."""
    evicted: Evicted | None = None
    reconnected: tuple[Reconnected, ...] = ()
    redundancy: Redundancy | None = None
    measurement: Measurement | None = None
    undone: tuple[str, ...] = ()
    left_to_do: tuple[LeftToDo, ...] = ()
    preview: str = ""
    """Plan runs: what the API server says would change (server-side dry run)."""


class RunReport(Known):
    """Everything that a run knows at its end, however it ended. The last step's input, so that history keeps it."""

    workflow_id: str
    run_id: str
    workflow: str
    outcome: Outcome
    reason: str
    """One sentence: why it ended like this."""
    refusal: str = ""
    """``Refusal`` value when it was refused or undone."""
    cluster: str
    mode: str
    run: str
    by: str = ""
    asked_because: str = ""
    started_at: datetime
    finished_at: datetime
    objective_rto_seconds: float | None = None
    objective_rpo_seconds: float | None = None
    quiet: Quiet | None = None


class RecordsRequest(Wire):
    """Keep a report outside Temporal."""

    records: str | None
    report: RunReport


class RecordsKept(Wire):
    """Where the report went."""

    paths: tuple[str, ...] = ()
    note: str = ""
