"""Pause what happens by itself, or end the pause: gates bring nobody back, what nobody has asked for is refused.

    look the cluster up -> write the pause into the leader record

It must be possible while a run goes on, so it does not take the cluster's lock; its own ID, ``pause/postgres/CLUSTER``,
keeps two pauses apart. What a person asks for (failover, rejoin) goes ahead although paused. A pause is short and has a
name and a reason, since whoever finds it at night must know whether it may be ended.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from activities.postgres.models.upkeep import Paused, PauseNote
from activities.postgres.pause import PauseActivities
from workflows.postgres.models import PauseRequest, lock_id, pause_id
from workflows.postgres.steps import resolve
from workflows.postgres.upkeep import checked, in_one_sentence
from workflows.run.inputs import parse
from workflows.run.state import TARGET
from workflows.run.steps import step


@workflow.defn(name="postgres-pause")
class PostgresPause:
    """One change of one cluster's pause."""

    @workflow.init
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - anything can be typed into a form
        """Read the input here, so that a bad one fails the run instead of wedging it."""
        self._request, self._bad_input = parse(PauseRequest, args)

    @workflow.run
    async def run(self, *_: Any) -> Paused:  # noqa: ANN401
        """Return the pause as it stands in the record afterwards."""
        request = checked(self._request, self._bad_input, pause_id)
        workflow.upsert_search_attributes([TARGET.value_set(lock_id(request.cluster))])
        return await in_one_sentence(self._write(request))

    async def _write(self, request: PauseRequest) -> Paused:
        target = await resolve(request.cluster, request.by)
        note = PauseNote(target=target)
        if request.lasts is not None:
            until = (workflow.now() + request.lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
            note = PauseNote(target=target, until=until, by=request.by, because=request.reason)
        return await step(PauseActivities.pause, note)
