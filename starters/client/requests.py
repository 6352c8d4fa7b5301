"""Turns what was typed into a workflow's request, or into one sentence that names the field and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from starters.client.answers import CommandError, Exit
from starters.client.targets import target_name
from workflows.catalog import PROCEDURES, spec_of
from workflows.run.models import READINESS_PLANS, Request, Run, plan_id
from workflows.run.procedure import ProcedureSpec

FAILOVER, REJOIN, ADOPT = "postgres-failover", "postgres-rejoin", "postgres-adopt"


@dataclass(frozen=True)
class Typed:
    """What was typed; ``None`` and ``False``: it was not."""

    procedure: str
    target: str
    mode: str | None = None
    to: str | None = None
    member: str | None = None
    pod: str | None = None
    uncordon: bool = False
    attest: bool = False
    max_bytes: str | None = None
    max_transactions: int | None = None
    down_since: str | None = None
    max_missing: str | None = None
    confirm: str | None = None
    repairs: str | None = None
    notice: str | None = None
    by: str = ""
    reason: str = ""


_OPTIONS = (
    "mode",
    "to",
    "member",
    "pod",
    "uncordon",
    "attest",
    "max_bytes",
    "max_transactions",
    "down_since",
    "max_missing",
    "confirm",
    "repairs",
    "notice",
)


def ours() -> str:
    """Return the query for the runs of all procedures, without the dry runs that a readiness pass makes."""
    names = ", ".join(f"'{spec.name}'" for spec in PROCEDURES)
    return f"WorkflowType IN ({names}) AND WorkflowId NOT STARTS_WITH '{READINESS_PLANS}'"


def request_of(typed: Typed, run: Run) -> Request:
    """Return the request.

    Raises:
        CommandError: one sentence, field first; nothing was started.

    """
    spec = spec_of(typed.procedure)
    if spec is None:
        raise _usage(f"procedure: {typed.procedure!r} does not exist; use {' or '.join(one.name for one in PROCEDURES)}")
    if run is Run.DRILL and not spec.drills:
        drilled = " or ".join(one.name for one in PROCEDURES if one.drills)
        raise _usage(f"procedure: {typed.procedure} cannot be drilled yet; what can is {drilled}")
    values = {"run": run, "by": typed.by, "reason": typed.reason, **_chosen(typed, spec)}
    try:
        request = spec.request.model_validate({spec.request.names: target_name(spec, typed.target), **values})
    except ValidationError as error:
        fault = error.errors()[0]
        field, why = str(fault["loc"][0]).replace("_", "-"), fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "missing":
            raise _usage(f"{field}: missing; {typed.procedure} needs --{field}") from error
        raise _usage(f"{field}: {why}, got {fault['input']!r:.80}; shorten or correct it") from error
    if (fault_of_all := request.fault or request.doubt) is not None:
        field, _, rest = fault_of_all.partition(":")
        raise _usage(f"{field.replace('_', '-')}:{rest}")
    return request


def _chosen(typed: Typed, spec: ProcedureSpec) -> dict[str, object]:
    """Return the options that were given, by field."""
    request, values = spec.request, {}
    for option in _OPTIONS:
        given, field = getattr(typed, option), request.options.get(option, option)
        if given in (None, False):
            continue
        if field not in request.model_fields:
            raise _has_no(option, spec)
        values[field] = given
    if request.modes:
        mode = values.setdefault("mode", request.modes[0])
        if mode not in request.modes:
            raise _usage(f"mode: {mode!r} is no mode; use {' or '.join(request.modes)}")
    return values


def _has_no(option: str, spec: ProcedureSpec) -> CommandError:
    name = option.replace("_", "-")
    others = [one.name for one in PROCEDURES if one.request.options.get(option, option) in one.request.model_fields]
    remedy = spec.request.instead.get(option, f"leave it out: it is for {' and '.join(others)}")
    return _usage(f"{name}: {spec.name} has no --{name}; {remedy}")


def workflow_id(request: Request) -> str:
    """Return the ID under which the request must run."""
    return plan_id(request.lock) if request.run is Run.PLAN else request.lock


def _usage(sentence: str) -> CommandError:
    return CommandError(Exit.USAGE, sentence)
