"""How a run ended and what it leaves behind: what all procedures have in common, and a place for each one's own."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SerializeAsAny

from activities.run.models.checks import CheckEntry
from activities.run.models.control import ControlEntry
from activities.run.models.measure import Measurement
from activities.run.models.plan import Plan
from activities.run.models.todo import LeftToDo
from activities.run.models.wire import Wire


class Outcome(StrEnum):
    """How a run ended."""

    @classmethod
    def _missing_(cls, value: object) -> Outcome | None:
        """Return the outcome that an older version called ``value``."""
        return {"plan": cls.DRY_RUN, "settled": cls.RECOVERED}.get(str(value))

    DRY_RUN = "dry run"
    COMPLETED = "completed"
    FAILED = "failed"
    """A drill that did not pass; all is as before."""
    RECOVERED = "recovered"
    """An earlier run's switch was finished; nothing else was done."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    """Detection had begun it, and a majority of its witnesses said that the target is healthy before anybody decided."""
    CANCELLED = "cancelled"
    """Cancelled before anything had changed."""
    ROLLED_BACK = "rolled back"
    ROLLBACK_INCOMPLETE = "rollback incomplete"
    STRANDED = "stranded"


class Vote(Wire):
    """One person's recorded decision."""

    by: str
    role: str
    approve: bool
    plan: str
    note: str = ""
    attest: bool = False
    """Said as well that the old primary is stopped, or is to be stopped at any price."""
    at: datetime | None = None
    verified: bool = False
    """``False``: self-asserted, nothing proved who sent it."""
    key: str = ""
    """Verified: fingerprint of the SSH key that has signed it."""


class Details(BaseModel):
    """What a run has found out and done: each procedure's own fields, filled in while it goes on."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class RecoveryDetails(Details):
    """Of a procedure that is judged by how long it took until all was healthy again."""

    recovery_seconds: float | None = None
    """Without ``people_seconds``."""
    people_seconds: float = 0.0
    """For so long people were asked meanwhile: no objective counts that."""

    @property
    def healthy(self) -> bool:
        """Whether all was healthy in the end."""
        return False


D = TypeVar("D", bound=Details)


class Known(Wire):
    """What may be known of a run before, or without, its end."""

    plan: SerializeAsAny[Plan] | None = None
    votes: tuple[Vote, ...] = ()
    attested_by: str = ""
    attested_key: str = ""
    """Fingerprint of the SSH key that has signed it; empty: nothing proves who sent it."""
    insisted_by: str = ""
    """Who has overridden what held the run up."""
    insisted_key: str = ""
    control: tuple[ControlEntry, ...] = ()
    """What people have ordered while it went on: holds, releases, skipped and forced steps."""
    checks: tuple[CheckEntry, ...] = ()
    """Items of its checklists, with what was read or said of each."""
    measurement: Measurement | None = None
    """What a client saw."""
    undone: tuple[str, ...] = ()
    left_to_do: tuple[LeftToDo, ...] = ()
    preview: str = ""
    """Plan runs: what the API server says would change (server-side dry run)."""
    details: SerializeAsAny[Details] | None = None
    """What only this procedure knows."""

    def of(self, kind: type[D]) -> D:
        """Return the details of that kind; empty ones where there are none. TypeError: they are another procedure's."""
        if self.details is not None and not isinstance(self.details, kind):
            message = f"{type(self.details).__name__} are no {kind.__name__}"
            raise TypeError(message)
        return self.details if isinstance(self.details, kind) else kind()


class Ran(Wire):
    """Which run it was."""

    workflow_id: str
    run_id: str
    started_at: datetime


class RunReport(Known, Ran):
    """Everything that a run knows at its end, however it ended. The last step's input, so that history keeps it."""

    workflow: str
    outcome: Outcome
    reason: str
    """One sentence: why it ended like this."""
    refusal: str = ""
    """``Refusal`` value when it was refused or undone."""
    cluster: str
    mode: str
    run: str
    by: str = ""
    asked_because: str = ""
    finished_at: datetime
    objective_rto_seconds: float | None = None
    objective_rpo_seconds: float | None = None


class RecordsRequest(Wire):
    """Keep a report outside Temporal."""

    wanted: Annotated[bool, BeforeValidator(bool)] = Field(validation_alias=AliasChoices("wanted", "records"))
    """Whether to write it to the estate's directory; older versions name that directory, which is not followed."""
    report: dict[str, JsonValue]
    """A ``RunReport``; who keeps it need not know its procedure."""


class RecordsKept(Wire):
    """Where the report went."""

    paths: tuple[str, ...] = ()
    note: str = ""
