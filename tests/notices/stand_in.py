"""A run that costs nothing: it has a run's labels, answers ``status`` and ends when it is told to."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.run.state import MODE, OUTCOME, RUN, TARGET


@workflow.defn(name="stand-in")
class StandIn:
    """Its input is what it answers."""

    @workflow.init
    def __init__(self, said: dict[str, Any], kind: str) -> None:
        self._said, self._kind = said, kind

    @workflow.run
    async def run(self, _: dict[str, Any], __: str) -> None:
        await self._label()
        await workflow.wait_condition(lambda: bool(self._said.get("outcome")))
        workflow.upsert_search_attributes([OUTCOME.value_set(self._said["outcome"])])

    async def _label(self) -> None:
        values = [TARGET.value_set(workflow.info().workflow_id), MODE.value_set("planned"), RUN.value_set(self._kind)]
        workflow.upsert_search_attributes(values)

    @workflow.query
    def status(self) -> dict[str, Any]:
        return self._said

    @workflow.signal
    def say(self, more: dict[str, Any]) -> None:
        """Answer otherwise from now on; an outcome ends the run."""
        self._said = {**self._said, **more}
