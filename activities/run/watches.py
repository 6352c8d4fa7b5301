"""By what a watch is known in Temporal: its workflow ID, its type and its memo."""

from __future__ import annotations

WATCHES = "watch/"
"""What the workflow ID of every watch begins with; the kind and the name of its target follow."""
WATCH_TYPES = {
    "postgres": "postgres-watch", "redis": "redis-watch", "pods": "pod-watch", "nodes": "node-watch",
    "gateway": "gateway-watch", "region": "region-watch",
}  # fmt: skip
"""Kind of target → the workflow that watches it; the name that its failovers are asked for by."""
WATCH_MEMO = "watch"
"""Name of the memo that says how a watch stands."""
OPEN_WATCHES = "WorkflowType IN ({}) AND ExecutionStatus = 'Running'".format(
    ", ".join(f"'{one}'" for one in WATCH_TYPES.values())
)
"""Query that finds the watches that run."""


def watch_of(kind: str, name: str) -> str:
    """Return the workflow ID of the watch on a target."""
    return f"{WATCHES}{kind}/{name}"


def is_watch(workflow_id: str) -> bool:
    """Whether ``workflow_id`` is that of a watch."""
    return f"{workflow_id.partition('/')[0]}/" == WATCHES
