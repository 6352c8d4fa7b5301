"""Decides from a survey whether a node may be emptied. Pure."""

from __future__ import annotations

from activities.errors import Refusal, refuse
from activities.models.nodes import NodeSurvey
from activities.models.plan import Plan
from gate.record import Mode
from workflows.planning import digest_of

_LISTED = 5


def make_node_plan(survey: NodeSurvey, *, uncordon: bool) -> Plan:
    """Return the plan of emptying a node that lives. Raises refusals as ApplicationError: one sentence with a name."""
    node = survey.node
    if node.ready != "True":
        words = (
            f"{node.name} is not Ready ({node.ready}, {node.reason or 'no reason given'}): its pods cannot be asked to go"
        )
        raise refuse(Refusal.NODE_NOT_READY, words)
    if not survey.others:
        raise refuse(Refusal.NO_ROOM, f"no other node is Ready and takes pods: what leaves {node.name} would go nowhere")
    if survey.unknown:
        raise refuse(Refusal.UNREACHABLE, f"who leads from {node.name} is unknown: {'; '.join(survey.unknown)}")
    if lonely := [pod.path for pod in survey.to_evict if not pod.owner_kind]:
        words = f"nobody would make {_list(lonely)} anew: delete what is not needed any more, then start again"
        raise refuse(Refusal.LONELY_PODS, words)
    steps = (
        f"cordon: nothing new is put on {node.name}",
        *(f"move: {one.workflow} {one.target}, which leads from {one.pod}" for one in survey.carries),
        f"evict: {len(survey.to_evict)} pods leave as their disruption budgets allow; {_staying(survey)} stay",
        f"settle: every workload that lost a pod is ready elsewhere ({_list(list(survey.others))}){_but(survey)}",
        f"uncordon: {node.name} takes pods again" if uncordon else f"keep: {node.name} stays cordoned",
    )
    carried = sorted(f"{one.workflow} {one.target}" for one in survey.carries)
    return Plan(
        cluster=node.name, mode=Mode.PLANNED, primary=node.name, candidate="the other nodes", steps=steps,
        loss="none: each pod is asked to end, and what leads moves first",
        digest=digest_of({"node": node.name, "uncordon": uncordon, "carries": carried}),
    )  # fmt: skip


def waiting_for_a_node(survey: NodeSurvey) -> tuple[str, ...]:
    """Return a line per pod that no other node takes."""
    return tuple(
        f"{pod.path}: waits for a node without one of its kind: uncordon one, or add one" for pod in survey.homeless
    )


def _but(survey: NodeSurvey) -> str:
    names = _list([pod.path for pod in survey.homeless])
    return f", but for {names}, of whose kind every other node has one: they wait for a node" if names else ""


def _staying(survey: NodeSurvey) -> int:
    return len(survey.pods) - len(survey.to_evict)


def _list(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
