"""Repair a leader record that is older than what the gates have seen, or whose selector somebody has changed.

    look the cluster up -> look at record, Lease and gates, and write the record that they bear out

It moves no server: it writes down who leads. It takes no lock: a run that has claimed refuses it, and one that claims later
finds another epoch than planned. Its own ID, ``repair/postgres/CLUSTER``, keeps two repairs apart.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.postgres.models.upkeep import Repaired, RepairOrder
from activities.postgres.repair import RepairActivities
from workflows.postgres.models import RepairRequest, lock_id, repair_id
from workflows.postgres.steps import resolve
from workflows.postgres.upkeep import checked, in_one_sentence
from workflows.run.inputs import parse
from workflows.run.state import TARGET
from workflows.run.steps import me, step


@workflow.defn(name="postgres-repair")
class PostgresRepair:
    """One repair of one cluster's record, or a dry run of it."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(RepairRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> Repaired:  # noqa: ANN401
        """Return what was changed, or would be."""
        request = checked(self._request, self._bad_input, repair_id)
        workflow.upsert_search_attributes([TARGET.value_set(lock_id(request.cluster))])
        return await in_one_sentence(self._repair(request))

    async def _repair(self, request: RepairRequest) -> Repaired:
        target = await resolve(request.cluster, request.by)
        order = RepairOrder(target=target, leader=request.leader or "", dry_run=request.dry_run, run=me())
        return await step(RepairActivities.repair, order)
