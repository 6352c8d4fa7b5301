"""What people send to pod procedures."""

from __future__ import annotations

from typing import ClassVar

from workflows.run.models import Request, ShortName, lock_of


class PodFailoverRequest(Request):
    """Input of ``pod-failover``."""

    subject = "pods"
    names = "workload"
    instead: ClassVar = dict.fromkeys(("mode", "to", "member", "attest"), "leave it out: broken pods are found without it")

    workload: ShortName
    """A workload of the estate."""
    pod: ShortName | None = None
    """Drill: the pod that is ended; ``None`` takes the first that is ready."""


def pods_lock_id(workload: str) -> str:
    """Return the workflow ID of a run that changes the pods of ``workload``."""
    return lock_of(PodFailoverRequest.subject, workload)
