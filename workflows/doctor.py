"""Ask a worker to look at everything that a switch would need. Changes nothing, holds no lock, may run at any time."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.run.doctor import DoctorActivities
from activities.run.models.doctor import DoctorReport, ExamineRequest
from workflows.run.inputs import parse, taken
from workflows.run.models import DoctorRequest
from workflows.run.steps import step


@workflow.defn(name="doctor")
class Doctor:
    """One examination, from where the workers stand: what they cannot reach, no procedure can."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(DoctorRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> DoctorReport:  # noqa: ANN401
        """Return the findings."""
        request = taken(self._request, self._bad_input)
        return await step(DoctorActivities.examine, ExamineRequest(cluster=request.cluster, brief=request.brief))
