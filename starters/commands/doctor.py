"""``doctor``: is everything ready for a failover? Asks a worker, since what no worker can reach, no procedure can."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from temporalio.client import Client

from activities.run.models.doctor import DoctorReport, Finding, Severity
from starters.client.answers import Answer, Exit, Output, respond
from starters.client.runs import Start, answer_to
from starters.client.server import NO_WORKER, has_worker, task_queue
from starters.client.targets import cluster_name
from starters.commands import arguments as arg
from starters.commands.readiness import standing
from workers.connection import connect
from workflows.readiness.models import Readiness, ReadinessStatus

_AT_MOST = timedelta(seconds=75)
_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.FAULT: "bold red"}


def doctor_command(cluster: arg.OnlyCluster = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Look for what is wrong, or would stop a failover.

    Changes nothing. Exits with 1 on a fault.
    """
    respond(output, doctor(cluster))


async def doctor(cluster: str | None) -> Answer:
    """Return the findings; exit code 1 if there is a fault."""
    name = cluster_name(cluster) if cluster else None
    client = await connect()
    served = await has_worker(client)
    findings = await _ask(client, name) if served else (_no_worker(),)
    if served and name is None:
        findings = (*findings, of_readiness(await standing(client)))
    faults = sum(one.severity is Severity.FAULT for one in findings)
    code = Exit.FAILED if faults else Exit.DONE
    data = {"faults": faults, "findings": [one.model_dump(mode="json") for one in findings]}
    return Answer(code, data, _view(findings))


async def _ask(client: Client, cluster: str | None) -> tuple[Finding, ...]:
    request = {"cluster": cluster} if cluster else {}
    start = Start("doctor", request, f"doctor/{uuid4().hex[:8]}", at_most=_AT_MOST)
    return (await answer_to(client, start, DoctorReport, otherwise=Exit.FAILED)).findings


def of_readiness(status: ReadinessStatus | None) -> Finding:
    """Return what the dry runs of readiness have found, in one line: each fault is found by doctor's own checks too."""
    if status is None:
        return _readiness(Severity.WARNING, "nobody checks what could be started", "failover readiness start")
    if status.unknown:
        return _readiness(Severity.WARNING, f"unknown: {status.unknown}", "failover readiness --now")
    bad = {kind: number for kind, number in status.counts.items() if number and kind != Readiness.READY.value}
    told = ", ".join(f"{number} {kind}" for kind, number in bad.items()) or "every dry run makes a plan"
    return _readiness(Severity.WARNING if bad else Severity.OK, told, "failover readiness")


def _readiness(severity: Severity, message: str, remedy: str) -> Finding:
    return Finding(severity=severity, subject="readiness", message=message, remedy=remedy)


def _no_worker() -> Finding:
    return Finding(
        severity=Severity.FAULT,
        subject="worker",
        message=f"nobody polls the task queue {task_queue()}: no procedure can run",
        remedy=NO_WORKER.format(queue=task_queue()).partition("; ")[2],
    )


def _view(findings: tuple[Finding, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(min_width=7)
    table.add_column(overflow="fold")
    for one in findings:
        table.add_row(Text(one.severity.value, style=_COLOURS[one.severity]), Text(f"{one.subject}: {one.message}"))
        if one.remedy and one.severity is not Severity.OK:
            table.add_row("", Text(f"→ {one.remedy}"))
    counts = {kind: sum(one.severity is kind for one in findings) for kind in Severity}
    total = f"faults: {counts[Severity.FAULT]}, warnings: {counts[Severity.WARNING]}, fine: {counts[Severity.OK]}"
    return Group(table, Text(total, style="bold"))
