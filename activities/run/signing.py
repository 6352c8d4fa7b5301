"""Signs what a run is told of its target, so that a worker with another estate can trust what the run's history says.

The signature is an HMAC with a secret that only workers have, over the target and the run that was told of it: what was
signed for one run is nothing in another one's history. A client that can write into Temporal can put any target into a
history, and none that a worker would take for ours. Run IDs in a history's first event are the server's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.exceptions import ApplicationError

from activities.run.models.wire import read
from estate.base import Reference, Target
from estate.reference import reference_of

G = TypeVar("G", bound=Target)
_log = logging.getLogger(__name__)


class Signatures:
    """Signs with a key, and believes what was signed with it. Without a key: signs nothing, believes nothing."""

    def __init__(self, key: Callable[[], str] | None = None) -> None:
        """``key`` returns the secret, or raises ApplicationError."""
        self._key, self._found = key, dict[tuple[str | None, Reference], Target]()

    @property
    def has_key(self) -> bool:
        """Whether it signs."""
        return bool(self._secret())

    def sealed(self, target: G) -> G:
        """Return ``target`` with a signature. Without one where the key cannot be read: no failover waits for that."""
        if not (key := self._secret()):
            return target
        content = target.model_dump(mode="json", exclude_none=True)
        return target.model_copy(update={"seal": _seal(key, target.KIND, activity.info().workflow_run_id, content)})

    async def found_in_history(self, kind: type[G], wanted: Reference) -> G | None:
        """Return the target of the run that has scheduled this step, if one of our workers has signed it."""
        asked = activity.info().workflow_run_id, wanted  # what was found for one run proves nothing for another
        if asked not in self._found and (key := self._secret()):
            found = await _search(kind, wanted, key)
            if found is None:
                return None
            self._found[asked] = found
        kept = self._found.get(asked)
        return kept if isinstance(kept, kind) else None

    def _secret(self) -> bytes:
        try:
            return self._key().encode() if self._key else b""
        except ApplicationError as error:
            _log.warning("Targets are not signed: %s", error)
            return b""


async def _search(kind: type[G], wanted: Reference, key: bytes) -> G | None:
    run = activity.info()
    handle = activity.client().get_workflow_handle(run.workflow_id or "", run_id=run.workflow_run_id)
    told = {run.workflow_run_id}
    async for event in handle.fetch_history_events():
        told |= _told(event)
        for content in _contents(event):
            seal = str(content.get("seal", "")).encode()
            if not any(hmac.compare_digest(seal, _seal(key, kind.KIND, one, content).encode()) for one in told):
                continue
            try:
                target = read(kind, content)
            except ValidationError:
                continue
            if reference_of(target) == wanted:
                return target
    return None


def _seal(key: bytes, kind: str, run: str | None, content: dict[str, Any]) -> str:
    text = json.dumps({**content, "seal": ""}, sort_keys=True)
    return hmac.new(key, f"{kind}\n{run}\n{text}".encode(), hashlib.sha256).hexdigest()


def _told(event: HistoryEvent) -> set[str]:
    """Return the runs that this one may have its target from: the one that it was reset from, the one that began it."""
    if not event.HasField("workflow_execution_started_event_attributes"):
        return set()
    began = event.workflow_execution_started_event_attributes
    return {began.original_execution_run_id, began.parent_workflow_execution.run_id} - {""}


def _contents(event: HistoryEvent) -> Iterator[dict[str, Any]]:
    """Yield what may be a target: what a step has answered or a run was started with, and their field ``target``."""
    answered, started = event.activity_task_completed_event_attributes, event.workflow_execution_started_event_attributes
    for payload in (*answered.result.payloads, *started.input.payloads):
        try:
            content = json.loads(payload.data)
        except ValueError:
            continue
        if isinstance(content, dict):
            yield content
            if isinstance(content.get("target"), dict):
                yield content["target"]
