"""What is done to a cluster without moving writes: adoption, repair of its record, pause."""

from __future__ import annotations

from typing import ClassVar

from activities.run.models.wire import RunId, Wire
from estate.postgres import PostgresTarget
from estate.reference import Named
from gate.api import KeptAside


class AdoptStep(Wire):
    """Adopt ``leader`` of a cluster that has run without the gate: what every step of that is told."""

    target: Named[PostgresTarget]
    leader: str
    epoch: int
    """Of the first record; above all that any gate has seen."""
    system_identifier: str
    run: RunId


class FirstRecord(Wire):
    """The leader record as it stands after an adoption."""

    leader: str
    epoch: int


class KeptLook(Wire):
    """Whose kept things to look through."""

    target: Named[PostgresTarget]


class KeptDiscard(Wire):
    """Remove one thing that ``member`` keeps aside, for good."""

    target: Named[PostgresTarget]
    member: str
    name: str
    run: RunId


class KeptBy(Wire):
    """What one member keeps aside."""

    member: str
    items: tuple[KeptAside, ...] = ()
    error: str = ""
    """Why its gate could not be asked."""


class KeptReport(Wire):
    """What the members of a cluster keep aside."""

    shown: ClassVar[bool] = True

    cluster: str
    members: tuple[KeptBy, ...]
    removed: bool | None = None
    """Answer to a removal: whether it was there still."""


class RepairOrder(Wire):
    """Let the record of ``target`` agree with what its gates say."""

    target: Named[PostgresTarget]
    leader: str = ""
    """Who is to lead where nobody runs as primary."""
    dry_run: bool = False
    run: RunId


class Repaired(Wire):
    """What a repair has changed in the leader record, or would change."""

    shown: ClassVar[bool] = True

    cluster: str
    leader: str
    epoch: int
    changes: tuple[str, ...] = ()
    """One line each; empty when record and gates agree."""
    written: bool = False


class PauseNote(Wire):
    """The pause that the record of ``target`` is to carry; empty fields take it off."""

    target: Named[PostgresTarget]
    until: str = ""
    """ISO 8601, UTC."""
    by: str = ""
    because: str = ""


class Paused(Wire):
    """The pause as it stands in the record; an empty ``until`` is none."""

    shown: ClassVar[bool] = True

    cluster: str
    until: str
    by: str
    because: str
