"""The last step but one of a drill: its record becomes final, as files that are hashed, signed and chained.

What cannot be added (a history that Temporal has no more, a key that cannot be read) is a gap of the record and no fault of
the step: a record with gaps is worth more than none. A directory that cannot be written is tried again a few times, and then
reported; the drill's report is in the run's history either way.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, JsonValue
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.clients.signatures import judge, sign
from activities.drills.record import DrillRecord, in_utc
from activities.run.declare import step
from activities.run.errors import Refusal, refuse, retry_in
from activities.run.evidence import NAMESPACE
from activities.run.evidence_files import FOLDER, Contents, Sign, put
from activities.run.inventory import Inventory
from activities.run.models.control import Control
from activities.run.models.wire import RunId, Wire
from activities.run.postures import FORWARD
from estate.signers import SigningKey

_WRITE_WITHIN_SECONDS = 30.0
_ATTEMPTS, _AGAIN = 4, timedelta(seconds=5)


class SealRequest(Wire):
    """Make a drill's record final."""

    record: DrillRecord
    report: dict[str, JsonValue]
    """The report of the drill's run."""
    measurements: dict[str, JsonValue] = Field(default={})
    """What clients measured while it went on; a file of its own, if there is any."""
    checklists: dict[str, JsonValue] = Field(default={})
    """What was ticked off before and after, and by whom; the same."""


class Sealed(Wire):
    """Where the record is."""

    digest: str = ""
    """SHA-256 of its manifest; empty: it was not written."""
    path: str = ""
    gaps: tuple[str, ...] = ()
    """All that the record lacks: the drill's own gaps, and what was found when it was sealed."""
    note: str = ""
    """What a person should look after; empty: nothing."""


class EvidenceActivities:
    """Seals records."""

    def __init__(self, inventory: Inventory, key: Callable[[], str] | None = None) -> None:
        """Write where ``inventory`` says. ``key`` returns the worker's private key, or raises ApplicationError.

        In threads of their own: a directory on a hung mount must not take those of the other steps.
        """
        self._inventory, self._key = inventory, key
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="evidence")

    @step("drills.seal", FORWARD, lambda _: "seal the record")
    async def seal(self, request: SealRequest) -> Sealed:
        """Write the record of the drill that asks, once. The same answer when repeated.

        Raises:
            ApplicationError: ``BadInput``, the record is another run's. One to be tried again: it cannot be written now.

        """
        run = _must_be_own(request.record)
        estate, gaps = self._inventory.latest, tuple(dict.fromkeys(_gaps(request)))
        if estate is None or not estate.records:
            why = "the estate names no records directory"
            return Sealed(gaps=(*gaps, f"the record was not written: {why}"), note=f"evidence: {why}")
        root, now = Path(estate.records.removeprefix("file:")) / FOLDER, datetime.now(UTC)
        signs = self._signer(estate.drills.sealed_by if estate.drills else (), now)
        files, unread = await _files(request, run)
        contents = Contents(str(run), files, (*gaps, *unread, *([] if signs.by else [signs.note])))
        place = _place(request.record, run)
        writing = asyncio.get_running_loop().run_in_executor(self._threads, put, root, place, contents, signs.by, now)
        try:
            done = await asyncio.wait_for(writing, _WRITE_WITHIN_SECONDS)
        except OSError as error:
            return _not_written(root, error, contents.gaps)
        return Sealed(digest=done.digest, path=str(root / place), gaps=done.manifest.gaps, note=signs.note)

    def _signer(self, listed: tuple[SigningKey, ...], now: datetime) -> _Signer:
        try:
            key = self._key() if self._key else ""
            tried = sign(b"", key, NAMESPACE).decode() if key else ""
        except (ApplicationError, ValueError) as error:
            why = error.message if isinstance(error, ApplicationError) else f"FAILOVER_EVIDENCE_KEY: {error}"
            return _Signer(None, f"the record is not signed: {why}")
        if not key:
            return _Signer(None, "the record is not signed: FAILOVER_EVIDENCE_KEY is not set for this worker")
        why = judge(b"", tried, listed, now, NAMESPACE).why
        note = f"failover evidence verify will refuse this record: {why}; list it under drills.sealed_by" if why else ""
        return _Signer(lambda text: sign(text, key, NAMESPACE), note)


class _Signer(NamedTuple):
    by: Sign | None
    note: str
    """Why the record has no signature, or one that does not count."""


def _must_be_own(record: DrillRecord) -> RunId:
    """Return the run that asks. ApplicationError: ``BadInput``, the record is another one's."""
    info = activity.info()
    run = RunId(workflow_id=info.workflow_id or "", run_id=info.workflow_run_id or "")
    if record.run.workflow_id != run.workflow_id:
        raise refuse(Refusal.BAD_INPUT, f"record.run: it is of {record.run.workflow_id}, and {run.workflow_id} asks")
    return run


def _place(record: DrillRecord, run: RunId) -> str:
    """Return the folder below ``evidence``: names in it are made harmless, since they were typed."""
    series = _harmless(f"{record.kind}-{record.target}")
    return f"{series}/{in_utc(record.began_at):%Y-%m-%dT%H%M%SZ}-{_harmless(run.run_id[:8])}"


def _harmless(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".") or "nameless"


def _gaps(request: SealRequest) -> Iterator[str]:
    """Yield what the record lacks: what it says itself, and what only its report tells."""
    record = request.record
    yield from record.gaps
    if not record.compared:
        yield "the state before and after was not compared"
    if record.word is not None and not record.word.key:
        yield f"nothing proves that {record.word.by} has said whether it has passed: it is not signed"
    orders = request.report.get("control")
    for order in orders if isinstance(orders, list) else ():
        if isinstance(order, dict) and order.get("what") == Control.SKIP and not order.get("too_late"):
            yield f"{order.get('step')} was skipped by {order.get('by')}"


async def _files(request: SealRequest, run: RunId) -> tuple[dict[str, bytes], list[str]]:
    """Return the files, and in sentences the histories that could not be read."""
    said = {
        "drill.json": request.record.model_dump(mode="json"),
        "report.json": request.report,
        "measurements.json": request.measurements,
        "checklists.json": request.checklists,
    }
    files = {name: (json.dumps(one, indent=1, ensure_ascii=False) + "\n").encode() for name, one in said.items() if one}
    unread = list[str]()
    for name, part in {"history.json": run, **_parts(request.record)}.items():
        handle = activity.client().get_workflow_handle(part.workflow_id, run_id=part.run_id)
        try:
            history = await handle.fetch_history()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND and activity.info().attempt < _ATTEMPTS:
                raise
            unread.append(f"{name}: the history of {part} cannot be read: {error.message}")
            continue
        files[name] = (await asyncio.to_thread(history.to_json)).encode()  # a long one takes longer than a heartbeat
    return files, unread


def _parts(record: DrillRecord) -> dict[str, RunId]:
    """Return file name → run, of each run that the drill has begun. Roles that come twice are numbered."""
    found = dict[str, RunId]()
    for part in record.parts:
        role, number = _harmless(part.role), 1
        name = f"{role}-history.json"
        while name in found:
            number += 1
            name = f"{role}-{number}-history.json"
        found[name] = part.run
    return found


def _not_written(root: Path, error: OSError, gaps: tuple[str, ...]) -> Sealed:
    """Return what to say at last. ApplicationError: to be tried again."""
    why = f"{root} cannot be written: {error.strerror or 'it does not answer'}"
    if activity.info().attempt < _ATTEMPTS:
        raise retry_in(_AGAIN, f"evidence: {why}") from error
    return Sealed(gaps=(*gaps, f"the record was not written: {why}"), note=f"evidence: {why}")
