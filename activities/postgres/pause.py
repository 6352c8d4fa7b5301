"""Writes a pause into the leader record, or takes it off. Runs beside everything else: it needs no lock.

Only the three fields of the pause change, by compare-and-swap: a claim or a route that is written at the same moment makes
this step read again, and the other way round. The run that the record names as its last writer stays, since an undo tells
by that name whether somebody has taken over.
"""

from __future__ import annotations

from activities.clients.granting import granted
from activities.clients.systems import Systems
from activities.postgres.claim import NOTHING_CHANGED, current_record, try_write
from activities.postgres.models.upkeep import Paused, PauseNote
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.postures import CHANGE
from gate.loop.pause import words_of
from gate.record import Record


def _summary(note: PauseNote) -> str:
    return words_of(note.until, note.by, note.because) if note.until else "no longer paused"


class PauseActivities:
    """Writes to the leader record that move nothing."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems.kubernetes`` for every read and write."""
        self._systems = systems

    @step("postgres.pause", CHANGE, _summary)
    async def pause(self, note: PauseNote) -> Paused:
        """Let the record carry exactly this pause; an empty ``until`` takes it off. Repeating it changes nothing more.

        Raises:
            ApplicationError: ``NoRecord``, ``RecordDisagrees`` (writing the record would move the route as well),
                ``Unreachable`` when we may not read or write it.

        """
        wanted = {"paused_until": note.until, "paused_by": note.by, "paused_because": note.because}
        while True:
            record = await granted(current_record(self._systems, note.target), NOTHING_CHANGED)
            if wanted.items() <= record.model_dump().items():
                return Paused(cluster=note.target.name, until=note.until, by=note.by, because=note.because)
            _must_agree(record, note)
            await granted(try_write(self._systems, note.target, record.model_copy(update=wanted)), NOTHING_CHANGED)


def _must_agree(record: Record, note: PauseNote) -> None:
    if record.selector != record.leader:
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"Service {note.target.cluster.write_service} sends writes to {record.selector or 'nobody'}, but its record"
            f" names {record.leader}: writing the record would move writes; nothing was changed",
        )
