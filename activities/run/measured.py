"""The loop of a measuring writer: one row per new connection, by the way that clients go, while a switch is going on.

Its longest gap between two acknowledgements is the outage, as a client sees it; the acknowledged rows that are missing
afterwards are the loss. It ends when its workflow cancels it, and then answers with what it saw. If its worker dies, the
next attempt goes on from the last heartbeat: up to one heartbeat of acknowledged rows is then not checked for loss, and
the note says so. It never fails a run: a run whose measurement went wrong is still a run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import NoReturn, Protocol

from pydantic import BaseModel
from temporalio import activity

from activities.run.errors import UnreachableError, WriteFailedError
from activities.run.heartbeat import keep_details
from activities.run.models.measure import Measurement

_CHECK_WITHIN_SECONDS = 10
_CHECK_AGAIN_SECONDS = 0.2
_WIDEST = 5
Gap = tuple[datetime, datetime]


class Tally(BaseModel):
    """What the writer has seen: small enough for a heartbeat, complete enough to go on from."""

    next_row: int = 0
    acknowledged_rows: list[tuple[int, int]] = []
    """First and last row number of each unbroken series of acknowledgements."""
    last_ack: datetime | None = None
    widest: list[Gap] = []
    """The widest gaps, widest first."""
    gaps: list[float] = []
    """Last gaps in seconds, for the median."""
    errors: Counter[str] = Counter()
    attempts: int = 1

    def acknowledged(self, at: datetime) -> None:
        """Count an acknowledgement of ``next_row`` at ``at``."""
        if self.last_ack is not None:
            gap = (at - self.last_ack).total_seconds()
            self.gaps = [*self.gaps[-199:], gap]
            self.widest = sorted([*self.widest, (self.last_ack, at)], key=lambda gap: gap[0] - gap[1])[:_WIDEST]
        series = self.acknowledged_rows
        if series and series[-1][1] == self.next_row - 1:
            series[-1] = (series[-1][0], self.next_row)
        else:
            series.append((self.next_row, self.next_row))
        self.last_ack = at
        self.next_row += 1

    def failed(self, error: str) -> None:
        """Count a failure of ``next_row``; whether it was committed anyway is unknown."""
        self.errors[error] += 1
        self.next_row += 1

    @property
    def rows(self) -> tuple[int, ...]:
        """Acknowledged row numbers."""
        return tuple(row for first, last in self.acknowledged_rows for row in range(first, last + 1))

    def result(self, lost: int | None, note: str) -> Measurement:
        """Return the measurement."""
        measured = Measurement(
            acknowledged=len(self.rows),
            failed=sum(self.errors.values()),
            lost=lost,
            widest=tuple(self.widest),
            usual_gap_seconds=median(self.gaps) if self.gaps else None,
            errors=dict(self.errors),
            note=note,
        )
        return measured.with_outage(self.widest[0]) if self.widest else measured


class Rows(Protocol):
    """Where the writer writes numbered rows."""

    async def prepare(self) -> None:
        """Make what rows are written to, once."""

    async def write(self, row: int) -> None:
        """Write one row; acknowledged once this returns. WriteFailedError or UnreachableError: it was not."""

    async def missing(self, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` are not there."""

    async def remove(self) -> None:
        """Remove them all."""


async def measured(rows: Rows, interval: timedelta) -> Measurement:
    """Write until cancelled, then return outage and loss. A new attempt goes on where the last one's beat ended.

    A worker that is shut down gives the step back: it goes on elsewhere, since the run still wants its answer.
    """
    tally = _resume()
    try:
        await _write_for_ever(rows, tally, interval)
    except asyncio.CancelledError:
        if not _is_asked_to_end():
            raise
        if (task := asyncio.current_task()) is not None:
            task.uncancel()  # else a timeout of the check would end it as one more cancel (Python 3.11)
        return await _conclude(rows, tally)


async def _write_for_ever(rows: Rows, tally: Tally, interval: timedelta) -> NoReturn:
    prepared = False
    while not activity.is_cancelled():  # a driver may swallow the cancel that strikes together with its own timeout
        began = asyncio.get_running_loop().time()
        try:
            if not prepared:
                await rows.prepare()
                prepared = True
            await rows.write(tally.next_row)
            tally.acknowledged(datetime.now(UTC))
        except WriteFailedError as error:
            tally.failed(error.code)
        except UnreachableError:
            tally.failed("unreachable")
        keep_details(tally.model_dump(mode="json"))
        spent = asyncio.get_running_loop().time() - began
        await asyncio.sleep(max(interval.total_seconds() - spent, 0.001))
    raise asyncio.CancelledError


async def _conclude(rows: Rows, tally: Tally) -> Measurement:
    notes = [] if tally.attempts == 1 else [f"the writer was interrupted {tally.attempts - 1} times"]
    lost, why = await _count_missing(rows, tally.rows)
    if why:
        notes.append(f"loss could not be checked: {why}")
    return tally.result(lost, "; ".join(notes))


async def _count_missing(rows: Rows, acknowledged: tuple[int, ...]) -> tuple[int | None, str]:
    """Return how many are missing, or why that is not known: who is silent right after a switch is asked again."""
    lost, why = None, ""
    try:
        async with asyncio.timeout(_CHECK_WITHIN_SECONDS):
            while lost is None:
                try:
                    lost = await rows.missing(acknowledged)
                except (UnreachableError, WriteFailedError) as error:
                    why = str(error)
                    await asyncio.sleep(_CHECK_AGAIN_SECONDS)
            await rows.remove()
    except (TimeoutError, UnreachableError, WriteFailedError) as error:
        why = why or str(error) or "no answer"
    return lost, "" if lost is not None else why


def _is_asked_to_end() -> bool:
    """Whether the run ended the measurement, and not the worker or the server this attempt of it.

    An attempt that the server does not know any more was given to another worker while the server was away, or its run was
    terminated. It must not remove the rows: the other attempt would find its own missing, and call them lost.
    """
    why = activity.cancellation_details()
    return why is None or why.cancel_requested


def _resume() -> Tally:
    details = activity.info().heartbeat_details
    if not details:
        return Tally()
    tally = Tally.model_validate(details[0])
    # The interrupted attempt may have acknowledged rows after its last beat: their numbers are not used again.
    return tally.model_copy(update={"next_row": tally.next_row + 1000, "attempts": tally.attempts + 1})
