"""Turns what was typed into a workflow's request, or into one sentence that names the field and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import ValidationError

from gate.record import Mode
from starters.client.answers import CommandError, Exit
from starters.client.targets import cluster_name, node_name, redis_name, workload_name
from workflows.run.models import (
    AdoptRequest,
    FailoverRequest,
    NodeFailoverRequest,
    PodFailoverRequest,
    RedisFailoverRequest,
    RejoinRequest,
    Request,
    RollbackMode,
    RollbackRequest,
    Run,
    plan_id,
)

FAILOVER, REJOIN, ROLLBACK, ADOPT = "postgres-failover", "postgres-rejoin", "postgres-rollback", "postgres-adopt"
REDIS_FAILOVER, POD_FAILOVER, NODE_FAILOVER = "redis-failover", "pod-failover", "node-failover"
PROCEDURES = (FAILOVER, REJOIN, ROLLBACK, ADOPT, REDIS_FAILOVER, POD_FAILOVER, NODE_FAILOVER)
DRILLED = (POD_FAILOVER,)
"""Procedures that can be drilled."""
OURS = "WorkflowType IN ({})".format(", ".join(f"'{name}'" for name in PROCEDURES))
"""Query for the runs of all procedures."""


class Caps(NamedTuple):
    """How much a discard may give up, as typed."""

    max_bytes: str | None = None
    max_transactions: int | None = None


@dataclass(frozen=True)
class Typed:
    """What was typed."""

    procedure: str
    target: str
    mode: str | None = None
    to: str | None = None
    member: str | None = None
    pod: str | None = None
    uncordon: bool = False
    attest: bool = False
    caps: Caps = field(default_factory=Caps)
    by: str = ""
    reason: str = ""


def request_of(typed: Typed, run: Run) -> Request:
    """Return the request.

    Raises:
        CommandError: one sentence, field first; nothing was started.

    """
    if typed.procedure not in PROCEDURES:
        raise _usage(f"procedure: {typed.procedure!r} does not exist; use {' or '.join(PROCEDURES)}")
    if run is Run.DRILL and typed.procedure not in DRILLED:
        raise _usage(f"procedure: {typed.procedure} cannot be drilled yet; what can is {' or '.join(DRILLED)}")
    if typed.procedure != NODE_FAILOVER:
        _must_be_absent("uncordon", typed.uncordon or None, typed.procedure, "leave it out: only node-failover cordons")
    if typed.procedure != ROLLBACK:
        for name, cap in zip(("max-bytes", "max-transactions"), typed.caps, strict=True):
            _must_be_absent(name, cap, typed.procedure, "leave it out: only postgres-rollback gives writes up")
    makers: dict[str, Callable[[Typed, Run], Request]] = {
        FAILOVER: _failover, REJOIN: _rejoin, ROLLBACK: _rollback, ADOPT: _adopt,
        REDIS_FAILOVER: _redis, POD_FAILOVER: _pods, NODE_FAILOVER: _node,
    }  # fmt: skip
    try:
        return makers[typed.procedure](typed, run)
    except ValidationError as error:
        fault = error.errors()[0]
        raise _usage(f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r:.80}; shorten or correct it") from error


def _failover(typed: Typed, run: Run) -> FailoverRequest:
    cluster = cluster_name(typed.target)
    _must_be_absent("member", typed.member, FAILOVER, "use --to to say who is to lead")
    mode = _mode(typed.mode)
    _word_needs_a_name(typed, mode)
    return FailoverRequest(
        cluster=cluster, mode=mode, run=run, by=typed.by, reason=typed.reason, to=typed.to, attest=typed.attest
    )


def _adopt(typed: Typed, run: Run) -> AdoptRequest:
    cluster = cluster_name(typed.target)
    _must_be_absent("mode", typed.mode, ADOPT, "leave it out")
    _must_be_absent("attest", typed.attest or None, ADOPT, "leave it out")
    _must_be_absent("member", typed.member, ADOPT, "use --to to say who was the primary")
    return AdoptRequest(cluster=cluster, run=run, leader=typed.to, by=typed.by, reason=typed.reason)


def _rejoin(typed: Typed, run: Run) -> RejoinRequest:
    cluster = cluster_name(typed.target)
    _must_be_absent("mode", typed.mode, REJOIN, "leave it out")
    _must_be_absent("attest", typed.attest or None, REJOIN, "leave it out")
    _must_be_absent("to", typed.to, REJOIN, "use --member to say whom to bring back")
    return RejoinRequest(cluster=cluster, member=typed.member, run=run, by=typed.by, reason=typed.reason)


def _pods(typed: Typed, run: Run) -> PodFailoverRequest:
    absent = {"mode": typed.mode, "to": typed.to, "member": typed.member, "attest": typed.attest or None}
    for name, value in absent.items():
        _must_be_absent(name, value, POD_FAILOVER, "leave it out: broken pods are found by themselves")
    workload = workload_name(typed.target)
    return PodFailoverRequest(workload=workload, run=run, by=typed.by, reason=typed.reason, pod=typed.pod)


def _node(typed: Typed, run: Run) -> NodeFailoverRequest:
    for name, value in {"to": typed.to, "member": typed.member}.items():
        _must_be_absent(name, value, NODE_FAILOVER, "leave it out")
    node, mode = node_name(typed.target), _mode(typed.mode)
    _word_needs_a_name(typed, mode)
    if typed.uncordon and mode is Mode.FORCED:
        raise _usage("uncordon: only with --mode planned; one that was gone takes pods again by itself when it is well")
    return NodeFailoverRequest(
        node=node, mode=mode, run=run, by=typed.by, reason=typed.reason, uncordon=typed.uncordon, attest=typed.attest
    )


def _redis(typed: Typed, run: Run) -> RedisFailoverRequest:
    _must_be_absent("to", typed.to, REDIS_FAILOVER, "leave it out: Sentinel chooses")
    master, mode = redis_name(typed.target), _mode(typed.mode)
    _word_needs_a_name(typed, mode)
    return RedisFailoverRequest(
        master=master, mode=mode, run=run, by=typed.by, reason=typed.reason, attest=typed.attest, member=typed.member
    )


def _word_needs_a_name(typed: Typed, mode: Mode) -> None:
    if typed.attest and (mode is not Mode.FORCED or not typed.by):
        raise _usage("attest: only with --mode forced and --by NAME: a word needs a name")


def _rollback(typed: Typed, run: Run) -> RollbackRequest:
    cluster = cluster_name(typed.target)
    _must_be_absent("member", typed.member, ROLLBACK, "leave it out: writes go back to who led before")
    _must_be_absent("to", typed.to, ROLLBACK, "leave it out: writes go back to who led before")
    _must_be_absent("attest", typed.attest or None, ROLLBACK, "leave it out")
    mode = typed.mode or RollbackMode.LOSSLESS.value
    if mode not in set(RollbackMode):
        raise _usage(f"mode: {mode!r} is no mode; use {' or '.join(RollbackMode)}")
    if mode == RollbackMode.DISCARD and None in typed.caps:
        raise _usage("max-bytes, max-transactions: --mode discard needs both; say how much may be lost, as 1MiB and 100")
    if mode == RollbackMode.LOSSLESS and typed.caps != Caps():
        raise _usage("max-bytes, max-transactions: only with --mode discard; lossless loses nothing")
    asked = {"cluster": cluster, "mode": mode, "run": run, "by": typed.by, "reason": typed.reason}
    return RollbackRequest.model_validate({**asked, **typed.caps._asdict()})


def workflow_id(request: Request) -> str:
    """Return the ID under which the request must run."""
    return plan_id(request.lock) if request.run is Run.PLAN else request.lock


def _mode(text: str | None) -> Mode:
    try:
        return {"planned": Mode.PLANNED, "forced": Mode.FORCED}[text or "planned"]
    except KeyError:
        raise _usage(f"mode: {text!r} is no mode; use planned or forced") from None


def _must_be_absent(name: str, value: object, procedure: str, remedy: str) -> None:
    if value is not None:
        raise _usage(f"{name}: {procedure} has no --{name}; {remedy}")


def _usage(sentence: str) -> CommandError:
    return CommandError(Exit.USAGE, sentence)
