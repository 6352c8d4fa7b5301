"""Look through what rejoins have kept aside, and remove one thing of it when a person says so.

    look the cluster up -> [remove it] -> ask every member what it keeps

It takes no lock: a gate refuses while it works on the directory, and nothing but a person's list ever names what is kept.
What is removed is gone. It may be the only copy of writes that a failover has left behind, so it has a name and a reason,
and one run removes one thing.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.postgres.kept import KeptActivities
from activities.postgres.models.upkeep import KeptDiscard, KeptLook, KeptReport
from workflows.postgres.models import KeptRequest, kept_id, lock_id
from workflows.postgres.steps import resolve
from workflows.postgres.upkeep import checked, in_one_sentence
from workflows.run.inputs import parse
from workflows.run.state import TARGET
from workflows.run.steps import me, step


@workflow.defn(name="postgres-kept")
class PostgresKept:
    """One look, or one removal."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(KeptRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> KeptReport:  # noqa: ANN401
        """Return what is kept afterwards."""
        request = checked(self._request, self._bad_input, kept_id)
        workflow.upsert_search_attributes([TARGET.value_set(lock_id(request.cluster))])
        return await in_one_sentence(self._look(request))

    async def _look(self, request: KeptRequest) -> KeptReport:
        target = await resolve(request.cluster, request.by)
        if request.remove is None:
            return await step(KeptActivities.kept, KeptLook(target=target))
        discard = KeptDiscard(target=target, member=request.member or "", name=request.remove, run=me())
        return await step(KeptActivities.discard, discard)
