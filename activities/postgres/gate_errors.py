"""What a gate's *no* means to a run."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from activities.clients.ports import GateRefusedError
from activities.run.errors import Refusal, refuse
from gate.api import ProblemKind

A = TypeVar("A")
_REFUSALS = {
    ProblemKind.STALE_EPOCH: Refusal.SUPERSEDED,
    ProblemKind.NOT_PRIMARY: Refusal.NO_PRIMARY,
    ProblemKind.NOT_STANDBY: Refusal.CANDIDATE_FAILED,
    ProblemKind.LSN_NOT_REACHED: Refusal.CANDIDATE_BEHIND,
    ProblemKind.WRONG_SYSTEM: Refusal.CANDIDATE_FAILED,
    ProblemKind.UNCLEAN_STOP: Refusal.UNCLEAN_STOP,
    ProblemKind.NOT_UNTOUCHED: Refusal.NOT_UNTOUCHED,
    ProblemKind.RECORD_FORBIDS: Refusal.RECORD_CHANGED,
}
_PASSING = {ProblemKind.UNAUTHORIZED: Refusal.SECRET_MISSING}
"""Kubelets update a Secret's mounts one after the other: a gate may refuse a token that is changed for a minute."""


def refused(error: GateRefusedError) -> ApplicationError:
    """Return the refusal to raise for ``error``.

    Kinds that are not listed are passing states of the server (starting, API server away) or of its token: the error itself
    comes back, to be retried as long as the step allows.
    """
    kind = _REFUSALS.get(error.problem.kind)
    passing = _PASSING.get(error.problem.kind, error.problem.kind)
    return refuse(kind, str(error)) if kind else ApplicationError(str(error), type=passing.value)


async def obeyed(command: Awaitable[A]) -> A:
    """Return the gate's answer; its *no* is raised as what it means to a run."""
    try:
        return await command
    except GateRefusedError as error:
        raise refused(error) from error
