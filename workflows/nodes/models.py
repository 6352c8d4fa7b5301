"""What people and other runs send to node procedures."""

from __future__ import annotations

from pydantic import Field

from estate.nodes import NodeTarget
from gate.record import Mode
from workflows.run.models import FailoverMode, Input, Request, ShortName, Signable, lock_of


class NodeFailoverRequest(Request):
    """Input of ``node-failover``."""

    subject = "node"
    names = "node"
    modes = ("planned", "forced")

    node: ShortName
    """As the cluster calls it."""
    mode: FailoverMode = Mode.PLANNED
    uncordon: bool = False
    """Planned: let pods on the node again once all is well elsewhere; else it stays cordoned, for whoever takes its machine.
    Forced: it takes pods again when it is healthy, in any case."""
    attest: bool = False
    """Forced: ``by`` says that the node's machine is stopped, or is to be given up at any price."""

    @property
    def doubt(self) -> str | None:
        """What has no effect."""
        if self.uncordon and self.mode is Mode.FORCED:
            return "uncordon: only with --mode planned; a node that was gone takes pods again when it is healthy"
        return None


class NodeReturnRequest(Input):
    """Input of ``node-return``; only ``node-failover`` starts it."""

    target: NodeTarget


class Insistence(Signable):
    """Input of the update ``insist``."""

    by: ShortName
    node: ShortName
    """Naming it is what makes the word deliberate."""
    note: str = Field(default="", max_length=1000)


def node_lock_id(node: str) -> str:
    """Return the workflow ID of a run that empties ``node``."""
    return lock_of(NodeFailoverRequest.subject, node)
