"""A node, what was on it, and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from activities.nodes.models import NodePod, NodeSurvey
from activities.nodes.run_models import NodeDetails
from starters.render import words
from starters.render.tables import Rows


def node_tables(survey: NodeSurvey) -> list[RenderableType]:
    """Return the node's state and each of its pods in a row."""
    node = survey.node
    state = "Ready" if node.ready == "True" else f"not Ready ({node.ready}, {node.reason})"
    cordoned = f", cordoned{f' for {node.cordoned_for}' if node.cordoned_for else ''}" if node.cordoned else ""
    leads = {one.pod: f"leads {one.target}" for one in survey.carries}
    table = Rows("pod", "of", "ready", "")
    for pod in survey.pods:
        owner = f"{pod.owner_kind} {pod.owner}".strip() or "nobody"
        table.add_row(pod.path, owner, "yes" if pod.ready else "no", pod.stays or leads.get(pod.name, "") or _wait(pod))
    return [Text(f"  {node.name}: {state}{cordoned}; others that take pods: {', '.join(survey.others) or 'none'}"), table]


def _wait(pod: NodePod) -> str:
    if pod.bound:
        return f"would wait for this node: its volume is bound to it ({', '.join(pod.bound)})"
    return "would wait for a node: every other has one of its kind" if pod.homeless else ""


def node_lines(details: NodeDetails) -> list[str]:
    """Return what left the node, and where it is not ready yet."""
    lines = [f"moved by its own procedure: {one}" for one in details.moved_first]
    if (proof := details.proof) is not None:
        lines.append(f"proof ({proof.kind}) at {words.moment(proof.at)}: {proof.words}")
    if details.pods_replaced is not None:
        lines.append(f"replaced without waiting for the node: {', '.join(details.pods_replaced.pods)}")
    if (drained := details.drained) is not None:
        lines.append(f"evicted: {len(drained.gone)} pods ({', '.join(drained.gone) or 'none'})")
        lines += [f"did not go: {one.pod}: {one.words}" for one in drained.blocked]
    if (settled := details.settled) is not None:
        lines += [f"not ready elsewhere: {line}" for line in settled.unready]
    return lines
