"""Decides from a survey whether a node may be emptied. Pure."""

from __future__ import annotations

from activities.nodes.models import NodePod, NodeSettled, NodeSurvey, NodeWitness
from activities.nodes.run_models import NodePlan
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Condition, Diagnosis
from activities.run.models.todo import LeftToDo, Todo, todo
from estate.nodes import Machines, NodeTarget
from gate.record import Mode

_LISTED = 5
_LEASE_SECONDS = 40.0
"""The control plane's own grace before it takes a node for lost (node-monitor-grace-period)."""


def make_node_plan(survey: NodeSurvey, *, uncordon: bool) -> NodePlan:
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
        words = f"nobody would make {_list(lonely)} again: delete what is not needed any more, then start again"
        raise refuse(Refusal.LONELY_PODS, words)
    steps = (
        *(f"move: {one.workflow} {one.target}, which leads from {one.pod}" for one in survey.carries),
        f"cordon: nothing new is put on {node.name}",
        *(f"WAIT FOR A PERSON: {line}" for line in _unlisted(survey)),
        f"evict: {len(survey.to_evict)} pods leave as their disruption budgets allow; {_staying(survey)} stay",
        f"await ready: every workload that lost a pod is ready elsewhere ({_list(list(survey.others))}){_but(survey)}",
        f"uncordon: {node.name} takes pods again" if uncordon else f"keep: {node.name} stays cordoned",
    )
    carried = tuple(sorted(f"{one.workflow} {one.target}" for one in survey.carries))
    return NodePlan(
        cluster=node.name, mode=Mode.PLANNED, node=node.name, uncordon=uncordon, carries=carried, steps=steps,
        loss="none: each pod is asked to end, and hosted leaders move first",
    ).sealed()  # fmt: skip


def make_forced_node_plan(target: NodeTarget, survey: NodeSurvey) -> NodePlan:
    """Return the plan of giving up a node that is silent. Raises refusals as ``make_node_plan``."""
    node, diagnosis = survey.node, diagnosis_of(survey)
    if diagnosis.condition is Condition.ALIVE:
        raise refuse(
            Refusal.NODE_ALIVE, f"{diagnosis.reason}: mode planned asks its pods to go; {'; '.join(diagnosis.evidence)}"
        )
    if not survey.others:
        raise refuse(Refusal.NO_ROOM, f"no other node is Ready and takes pods: what leaves {node.name} would go nowhere")
    stateless, stateful = keeps_nothing(survey), keeps_data(survey)
    carried = tuple(sorted(f"{one.workflow} {one.target}" for one in survey.carries))
    machines = target.settings.machines
    steps = (
        f"cordon: nothing new is put on {node.name}",
        f"replace: {len(stateless)} pods without data are replaced at once",
        *(f"move: {one.workflow} {one.target} (forced), which led from {one.pod}" for one in survey.carries),
        *_unlisted(survey),
        *((f"prove: {_proof(node.name, machines)}; then it is tainted as out of service (no way back from here)",
           f"replace: {len(stateful)} pods with data are replaced, with their volumes") if stateful else ()),
        f"await ready: every workload that lost a pod is ready elsewhere{_but(survey)}",
        f"return: {node.name} takes pods again when it is healthy",
    )  # fmt: skip
    names = _list([f"{pod.path} ({', '.join(pod.volumes)})" if pod.volumes else pod.path for pod in stateful])
    who = f"{machines.kind} or somebody" if machines else "somebody"
    word = f"{names} keep data: {who} must say that {node.name} is stopped" if stateful else ""
    ends = f"{machines.kind}, {'may' if machines.may_end else 'may not'} end" if machines else ""
    return NodePlan(
        cluster=node.name, mode=Mode.FORCED, node=node.name, pool=target.pool, carries=carried, machines=ends, steps=steps,
        diagnosis=diagnosis, lossless=False, attestation=word,
        loss="what pods had only in memory, or on the node's own disk",
    ).sealed()  # fmt: skip


def _proof(node: str, machines: Machines | None) -> str:
    """Return which proof is accepted, and whether the run ends the machine."""
    if machines is None:
        return f"somebody says that {node} is stopped"
    who = f"{machines.kind} says that the machine of {node} does not run, or somebody says that it is stopped"
    ends = "THIS RUN ENDS THE MACHINE, once the node has been silent for a while" if machines.may_end else ""
    return f"{who}; {ends or 'this run does not end it'}"


def diagnosis_of(survey: NodeSurvey) -> Diagnosis:
    """Return whether the node lives, by more than one witness."""
    node, seen = survey.node, survey.witness or NodeWitness()
    lives = node.ready == "True" and seen.vouches(_LEASE_SECONDS)
    lease = "unknown" if seen.lease_age_seconds is None else f"renewed {seen.lease_age_seconds:.1f} s ago"
    evidence = (
        f"API server: Ready is {node.ready}{f' ({node.reason})' if node.reason else ''}",
        f"its lease: {lease}",
        f"its kubelet's port: {seen.port or 'not asked'}",
        *(f"{path}: takes a connection" for path in seen.answering),
        *(f"{path}: takes none" for path in seen.silent),
        *(f"unknown whether it leads on this node: {line}" for line in survey.unknown),
    )
    if lives:
        return Diagnosis(
            condition=Condition.ALIVE, reason=f"{node.name} is Ready and its kubelet answers", evidence=evidence
        )
    if seen.answering:
        reason = f"{node.name} does not answer for itself, but its pods do: IT GOES ON RUNNING THEM"
        return Diagnosis(condition=Condition.RUNNING, reason=reason, evidence=evidence)
    reason = f"nothing on {node.name} answers: it may be stopped, or run where nobody can see it"
    return Diagnosis(condition=Condition.SILENT, reason=reason, evidence=evidence)


def keeps_nothing(survey: NodeSurvey) -> tuple[NodePod, ...]:
    """Return the pods of Deployments that write nothing which outlives them: they bear to run twice for a while."""
    return tuple(pod for pod in survey.to_evict if pod.owner_kind == "ReplicaSet" and not pod.keeps_data)


def keeps_data(survey: NodeSurvey) -> tuple[NodePod, ...]:
    """Return the pods of StatefulSets, and of Deployments with data: none of them may run twice."""
    return tuple(pod for pod in survey.to_evict if pod.keeps_data)


def waiting_for_a_node(survey: NodeSurvey) -> tuple[LeftToDo, ...]:
    """Return an entry per pod that no other node takes."""
    return tuple(todo(Todo.SCHEDULE, f"{pod.path}: {_waits_for(pod, survey)}", pod.path) for pod in survey.homeless)


def _waits_for(pod: NodePod, survey: NodeSurvey) -> str:
    if pod.bound:
        return f"waits for {survey.node.name}, which its volume is bound to ({', '.join(pod.bound)}): uncordon it"
    return "waits for a node without one of its kind: uncordon one, or add one"


def not_ready(settled: NodeSettled) -> tuple[LeftToDo, ...]:
    """Return an entry per workload that is not ready elsewhere."""
    return tuple(todo(Todo.REPAIR, unready) for unready in settled.unready)


def _unlisted(survey: NodeSurvey) -> list[str]:
    """Return a line per leader of a database that the estate does not list: nobody here would move it first."""
    what = "leads a database that the estate does not list"
    return [f"{pod.path} {what} ({pod.leads}): move it first, by its own means" for pod in survey.to_evict if pod.leads]


def _but(survey: NodeSurvey) -> str:
    bound = _list([f"{pod.path} ({', '.join(pod.bound)})" for pod in survey.homeless if pod.bound])
    others = _list([pod.path for pod in survey.homeless if not pod.bound])
    words = f", but for {others}, of whose kind every other node has one: they wait for a node" if others else ""
    return words + (
        f", but for {bound}, whose volumes no other node reaches: they wait for {survey.node.name}" if bound else ""
    )


def _staying(survey: NodeSurvey) -> int:
    return len(survey.pods) - len(survey.to_evict)


def _list(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
