"""``doctor``: is everything fit for a switch? Asks a worker, since what no worker can reach, no procedure can."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from rich.console import Group, RenderableType
from rich.text import Text
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, FailureError

from activities.run.models.doctor import DoctorReport, Finding, Severity
from activities.run.models.wire import read
from starters.client.answers import Answer, CommandError, Exit
from starters.client.server import NO_WORKER, has_worker, task_queue
from starters.client.targets import cluster_name
from workers.connection import connect
from workflows.run.models import TASK_TIMEOUT

_AT_MOST = timedelta(seconds=75)
_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.FAULT: "bold red"}


async def doctor(cluster: str | None) -> Answer:
    """Return the findings; exit code 1 if there is a fault."""
    name = cluster_name(cluster) if cluster else None
    client = await connect()
    findings = await _ask(client, name) if await has_worker(client) else (_no_worker(),)
    faults = sum(one.severity is Severity.FAULT for one in findings)
    code = Exit.FAILED if faults else Exit.DONE
    data = {"faults": faults, "findings": [one.model_dump(mode="json") for one in findings]}
    return Answer(code, data, _view(findings))


async def _ask(client: Client, cluster: str | None) -> tuple[Finding, ...]:
    handle = await client.start_workflow(
        "doctor",
        {"cluster": cluster} if cluster else {},
        id=f"doctor/{uuid4().hex[:8]}",
        task_queue=task_queue(),
        execution_timeout=_AT_MOST,
        task_timeout=TASK_TIMEOUT,
        result_type=DoctorReport,
    )
    try:
        async with asyncio.timeout(_AT_MOST.total_seconds() + 5):
            return read(DoctorReport, await handle.result()).findings
    except WorkflowFailureError as error:
        raise CommandError(*_complaint(error)) from error


def _complaint(error: WorkflowFailureError) -> tuple[Exit, str]:
    cause: BaseException | None = error.cause
    while isinstance(cause, FailureError) and not isinstance(cause, ApplicationError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        return (Exit.USAGE if cause.type == "BadInput" else Exit.FAILED), cause.message
    return Exit.FAILED, f"the examination did not end: {cause or error}; is the worker alive?"


def _no_worker() -> Finding:
    return Finding(
        severity=Severity.FAULT,
        subject="worker",
        message=f"nobody polls the task queue {task_queue()}: no procedure can run",
        remedy=NO_WORKER.format(queue=task_queue()).partition("; ")[2],
    )


def _view(findings: tuple[Finding, ...]) -> RenderableType:
    lines: list[RenderableType] = []
    for one in findings:
        line = Text(f"{one.severity.value:8}", style=_COLOURS[one.severity])
        lines.append(line.append(f"{one.subject}: {one.message}", style="default"))
        if one.remedy and one.severity is not Severity.OK:
            lines.append(Text(f"          → {one.remedy}"))
    counts = {kind: sum(one.severity is kind for one in findings) for kind in Severity}
    total = f"faults: {counts[Severity.FAULT]}, warnings: {counts[Severity.WARNING]}, fine: {counts[Severity.OK]}"
    return Group(*lines, Text(total, style="bold"))
