"""The leader record of one PostgreSQL cluster, kept in its write Service.

The write Service *is* the record: its selector says where writes go and its annotations say why. Both change in one
merge patch that carries the ``resourceVersion`` that was read, so of two writers one gets a 409 and reads again. A
record is therefore never half written, and whoever reads it sees a leader, an epoch and an intent that belong together.

Life of a switchover, as epochs: ``5 leader=a`` → claim ``6 leader=a intent=b`` → route ``6 leader=b``. An undo goes to
``7 leader=a`` after the candidate's gate has promised (durably) to ignore everything below 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

ANNOTATION_PREFIX = "failover/"
POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
"""Label that the StatefulSet controller puts on each of its pods; the write Service selects exactly one pod by it."""

NO_SYNC = "none"
HIGHEST_EPOCH = 2**31 - 1
"""The Lease's ``leaseTransitions`` holds no higher number."""


class Mode(StrEnum):
    """How a switch treats the old primary."""

    PLANNED = "planned"
    FORCED = "forced"
    DISCARD = "discard"
    """Back to the member that led before, as it is; what was written since is given up."""


class Intent(BaseModel):
    """A switch that has been claimed and is not finished."""

    model_config = ConfigDict(frozen=True)

    candidate: str
    """Member that is to lead."""
    mode: Mode
    run: str
    """``WORKFLOW_ID/RUN_ID`` of the run that claimed."""


class Record(BaseModel):
    """The record as read at one ``resource_version``."""

    model_config = ConfigDict(frozen=True)

    leader: str
    epoch: int
    intent: Intent | None = None
    run: str = ""
    """Run (or gate) that wrote the record last."""
    previous: str = ""
    """Member that led before ``leader``."""
    unfinished: str = ""
    """``WORKFLOW_ID/RUN_ID`` of a switch whose route has moved but which has not verified and cleaned up yet."""
    sync: str = NO_SYNC
    """Comma-separated members that the leader waits for at commit; ``none`` when commits wait for nobody."""
    system_identifier: str = ""
    paused_until: str = ""
    """Time (ISO 8601, UTC) until which nothing is brought back by itself; empty without a pause. See ``gate.loop.pause``."""
    paused_by: str = ""
    paused_because: str = ""
    selector: str = ""
    """Pod that the Service really sends writes to; must equal ``leader``."""
    foreign: str = ""
    """What else stands in its selector, comma-separated ``label=value``; the next write of the record takes it out.
    Without ``selector``, every pod with these labels gets writes."""
    resource_version: str = ""

    @property
    def receivers(self) -> str:
        """What gets the writes, as people read it."""
        return self.selector or (f"every pod with {self.foreign}" if self.foreign else "nobody")

    @property
    def owner(self) -> str:
        """``WORKFLOW_ID/RUN_ID`` of the switch that is claimed or not finished; empty when there is none."""
        return self.intent.run if self.intent else self.unfinished

    @property
    def sync_members(self) -> tuple[str, ...]:
        """Members that confirmed commits are known to have reached; empty when commits wait for nobody."""
        return () if self.sync == NO_SYNC else tuple(name for name in self.sync.split(",") if name)


@dataclass(frozen=True)
class Mirror:
    """What the record's Kubernetes Lease says: who renewed it last as the leader (or was claimed), and at which epoch.

    It is written by whoever has just read the record, so it is never later than its record.
    """

    holder: str
    epoch: int


class MalformedRecordError(ValueError):
    """There is no write Service, or its annotations cannot be read as a record."""


def is_older(record: Record, epoch: int) -> bool:
    """Whether ``record`` is from before ``epoch``, which has been seen: somebody has put an old copy back."""
    return record.epoch < epoch


def ahead_of(record: Record, epochs: Mapping[str, int]) -> dict[str, int]:
    """Return who has seen a later epoch than ``record`` has; ``epochs``: member, or what else keeps one → epoch.

    An undo raises the epoch of its candidate before that of the record. So the candidate of an unfinished switch proves
    nothing; anybody else has it from a record that was written after this one.
    """
    candidate = record.intent.candidate if record.intent is not None else ""
    return {name: epoch for name, epoch in epochs.items() if is_older(record, epoch) and name != candidate}


def read_record(service: dict[str, Any]) -> Record | None:
    """Return the record inside ``service`` (a Service as JSON), or ``None`` when it has none yet.

    Raises:
        MalformedRecordError: somebody edited the annotations into something else.

    """
    metadata = service["metadata"]
    notes = {
        key.removeprefix(ANNOTATION_PREFIX): value
        for key, value in (metadata.get("annotations") or {}).items()
        if key.startswith(ANNOTATION_PREFIX)
    }
    if not notes.get("leader"):
        return None
    try:
        return Record(
            leader=notes["leader"],
            epoch=_epoch(notes["epoch"]),
            intent=Intent(candidate=notes["intent"], mode=Mode(notes["mode"]), run=notes["intent-run"])
            if notes.get("intent")
            else None,
            run=notes.get("run", ""),
            previous=notes.get("previous", ""),
            unfinished=notes.get("unfinished", ""),
            sync=notes.get("sync", NO_SYNC),
            system_identifier=notes.get("system-identifier", ""),
            paused_until=notes.get("paused-until", ""),
            paused_by=notes.get("paused-by", ""),
            paused_because=notes.get("paused-because", ""),
            **_route(service),
            resource_version=metadata["resourceVersion"],
        )
    except (KeyError, ValueError) as error:
        name = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
        message = f"the leader record on Service {name} cannot be read ({error}); compare its failover/* annotations"
        raise MalformedRecordError(message) from error


def _route(service: dict[str, Any]) -> dict[str, str]:
    """Return the pod that a Service sends writes to, and the labels that somebody else has put into its selector."""
    labels = dict((service.get("spec") or {}).get("selector") or {})
    pod = labels.pop(POD_NAME_LABEL, "")
    return {"selector": pod, "foreign": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))}


def _epoch(text: str) -> int:
    if not 0 <= (epoch := int(text)) <= HIGHEST_EPOCH:
        message = f"epoch {epoch} is not between 0 and {HIGHEST_EPOCH}"
        raise ValueError(message)
    return epoch


def record_patch(record: Record) -> dict[str, Any]:
    """Return the merge patch that writes ``record``, conditional on its ``resource_version``.

    The selector is written too, to ``record.leader``: leader and route can never be changed apart.
    """
    intent, foreign = record.intent, [label.partition("=")[0] for label in record.foreign.split(",") if label]
    notes: dict[str, str | None] = {
        "leader": record.leader,
        "epoch": str(record.epoch),
        "intent": intent.candidate if intent else None,
        "mode": intent.mode.value if intent else None,
        "intent-run": intent.run if intent else None,
        "run": record.run,
        "previous": record.previous or None,
        "unfinished": record.unfinished or None,
        "sync": record.sync,
        "system-identifier": record.system_identifier,
        "paused-until": record.paused_until or None,
        "paused-by": record.paused_by or None,
        "paused-because": record.paused_because or None,
    }
    return {
        "metadata": {
            "resourceVersion": record.resource_version,
            "annotations": {ANNOTATION_PREFIX + key: value for key, value in notes.items()},
        },
        "spec": {"selector": {POD_NAME_LABEL: record.leader} | dict.fromkeys(foreign)},
    }
