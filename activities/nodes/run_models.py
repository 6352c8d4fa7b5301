"""What a run of ``node-failover`` is going to do, and what it has found out and done."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, Field

from activities.nodes.machine_models import NodeProof
from activities.nodes.models import Drained, NodeSettled, NodeSurvey, PodsReplaced
from activities.run.models.plan import Plan
from activities.run.models.report import RecoveryDetails
from gate.record import Mode


class NodePlan(Plan):
    """Which node is emptied or given up, and which leaders are failed over first."""

    node: str = ""
    pool: str = ""
    """Forced: the pool that the node is of."""
    carries: tuple[str, ...] = ()
    """Procedure and target of each leader on the node, sorted."""
    uncordon: bool = False
    machines: str = ""
    """Forced: whose word on the machine counts, and whether the run may end it."""

    @property
    def suspect(self) -> str:
        """What an attestation is about."""
        return self.node or self.primary  # a plan of the first version has it there

    def decisions(self) -> dict[str, Any]:
        """Return what an approver agrees to."""
        if self.mode is Mode.PLANNED:
            return {"node": self.node, "uncordon": self.uncordon, "carries": list(self.carries)}
        decided = {"node": self.node, "mode": "forced", "carries": list(self.carries), "pool": self.pool}
        return decided | ({"machines": self.machines} if self.machines else {})

    def heading(self) -> str:
        """Return what changes, in a few words."""
        return f"{self.suspect} → the other nodes"


class NodeDetails(RecoveryDetails):
    """What a run has found out and done."""

    survey: NodeSurvey | None = Field(default=None, validation_alias=AliasChoices("survey", "node"))
    moved_first: tuple[str, ...] = ()
    """``postgres-failover orders``, as far as it was done."""
    drained: Drained | None = None
    settled: NodeSettled | None = Field(default=None, validation_alias=AliasChoices("settled", "node_settled"))
    pods_replaced: PodsReplaced | None = None
    """Forced: all that was removed."""
    proof: NodeProof | None = Field(default=None, validation_alias=AliasChoices("proof", "node_proof"))
    """Forced: why the node counts as stopped."""

    @property
    def healthy(self) -> bool:
        """Whether everything was ready elsewhere in the end."""
        return self.settled is not None and self.settled.whole
