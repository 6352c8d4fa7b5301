"""Turns what was typed into a workflow's request, or into one sentence that names the field and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from gate.record import Mode
from starters.answers import CommandError, Exit
from starters.targets import cluster_name
from workflows.models import FailoverRequest, RejoinRequest, Run, lock_id, plan_id

FAILOVER, REJOIN = "postgres-failover", "postgres-rejoin"
PROCEDURES = (FAILOVER, REJOIN)


@dataclass(frozen=True)
class Typed:
    """What was typed."""

    procedure: str
    target: str
    mode: str | None = None
    to: str | None = None
    member: str | None = None
    by: str = ""
    reason: str = ""


def request_of(typed: Typed, run: Run) -> FailoverRequest | RejoinRequest:
    """Return the request.

    Raises:
        CommandError: one sentence, field first; nothing was started.

    """
    if typed.procedure not in PROCEDURES:
        raise _usage(f"procedure: {typed.procedure!r} does not exist; use {' or '.join(PROCEDURES)}")
    cluster = cluster_name(typed.target)
    try:
        if typed.procedure == FAILOVER:
            _must_be_absent("member", typed.member, FAILOVER, "use --to to say who is to lead")
            return FailoverRequest(
                cluster=cluster, mode=_mode(typed.mode), run=run, by=typed.by, reason=typed.reason, to=typed.to
            )
        _must_be_absent("mode", typed.mode, REJOIN, "leave it out")
        _must_be_absent("to", typed.to, REJOIN, "use --member to say whom to bring back")
        return RejoinRequest(cluster=cluster, member=typed.member, run=run, by=typed.by, reason=typed.reason)
    except ValidationError as error:
        fault = error.errors()[0]
        raise _usage(f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r:.80}; shorten or correct it") from error


def workflow_id(request: FailoverRequest | RejoinRequest) -> str:
    """Return the ID under which the request must run."""
    return plan_id(request.cluster) if request.run is Run.PLAN else lock_id(request.cluster)


def _mode(text: str | None) -> Mode:
    try:
        return Mode(text or Mode.PLANNED)
    except ValueError:
        raise _usage(f"mode: {text!r} is no mode; use {' or '.join(Mode)}") from None


def _must_be_absent(name: str, value: str | None, procedure: str, remedy: str) -> None:
    if value is not None:
        raise _usage(f"{name}: {procedure} has no --{name}; {remedy}")


def _usage(sentence: str) -> CommandError:
    return CommandError(Exit.USAGE, sentence)
