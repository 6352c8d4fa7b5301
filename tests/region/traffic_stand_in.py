"""Stands for ``dns-failover`` until there is one: it answers as a procedure does, and says whose approvals it was handed."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.run.errors import Refusal, refuse
    from activities.run.models.report import Outcome
    from workflows.run.granted import GRANTED, Granted
    from workflows.run.models import Run
    from workflows.run.outcome import Summary
    from workflows.traffic.models import DnsFailoverRequest

BROKEN, UNKNOWN, SLOW = "broken", "unknown", "slow"
"""Names of traffic entries whose move, or whose plan, fails, or whose move waits for the signal ``go_on``."""


@workflow.defn(name="dns-failover")
class TrafficStandIn:
    """Leads nothing anywhere."""

    def __init__(self) -> None:
        self._goes_on = False

    @workflow.signal
    def go_on(self) -> None:
        self._goes_on = True

    @workflow.run
    async def run(self, request: dict[str, Any]) -> Summary:
        if request["traffic"] == UNKNOWN:
            raise refuse(Refusal.BAD_INPUT, "traffic: the estate does not list 'unknown'")
        asked = DnsFailoverRequest.model_validate(request)
        if asked.run is Run.PLAN:
            if not asked.serves_later:
                raise refuse(Refusal.NOT_WHOLE, f"nothing serves in {asked.to} before the overlay is applied")
            return Summary(outcome=Outcome.DRY_RUN, explanation=f"{request['traffic']} would lead to {request['to']}")
        if request["traffic"] == BROKEN:
            raise refuse(Refusal.BUSY, "Azure is busy")
        if request["traffic"] == SLOW:
            await workflow.wait_condition(lambda: self._goes_on)
        granted = workflow.memo_value(GRANTED, None, type_hint=Granted)
        votes = ", ".join(f"{one.by} ({one.role})" for one in granted.votes) if granted else "nobody"
        return Summary(outcome=Outcome.COMPLETED, explanation=f"leads to {request['to']}, approved by {votes}")
