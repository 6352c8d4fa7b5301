"""Reading what other versions have written: a run's report, its plan and its details, each by its procedure's own models."""

from __future__ import annotations

from pydantic import JsonValue

from activities.run.models.plan import Plan
from activities.run.models.report import Details, RunReport
from activities.run.models.wire import read
from workflows.catalog import spec_of


def read_report(written: dict[str, JsonValue]) -> RunReport:
    """Return the report. ValidationError: it is none.

    One of the first version has its details beside the common fields.
    """
    workflow = str(written.get("workflow"))
    own = {key: value for key, value in written.items() if key not in {"plan", "details"}}
    report = read(RunReport, own)
    plan, details = written.get("plan"), written.get("details")
    beside = {key: value for key, value in written.items() if value is not None}
    update = {
        "plan": read_plan(workflow, plan) if isinstance(plan, dict) else None,
        "details": read_details(workflow, details if isinstance(details, dict) else beside),
    }
    return report.model_copy(update=update)


def read_plan(workflow: str, written: object) -> Plan:
    """Return the plan of a run of ``workflow``. ValidationError: it is none."""
    spec = spec_of(workflow)
    return read(spec.plan if spec else Plan, written)


def read_details(workflow: str, written: object) -> Details | None:
    """Return the details of a run of ``workflow``; ``None``: it is no procedure. ValidationError: they do not fit."""
    spec = spec_of(workflow)
    return read(spec.details, written) if spec else None
