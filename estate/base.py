"""What all parts of the estate are made of: names, references to secrets, regions, objectives, who must agree.

Unknown keys are refused, since a misspelt threshold that is silently ignored is worse than none. Secrets are only ever
*references* (``env:NAME``, ``file:PATH``); clients resolve them at the moment of use, so that no secret reaches a
workflow's input, its history, a log or a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import Field, PrivateAttr, model_validator

from estate.checklists import Checklist
from estate.parts import (
    MASTER_PATTERN,
    NAME_PATTERN,
    Entry,
    EstateError,
    MasterName,
    Name,
    SecretReference,
    Subscription,
)

if TYPE_CHECKING:
    from estate.watching import Watching

__all__ = [
    "MASTER_PATTERN", "NAME_PATTERN", "ApprovalPolicy", "Entry", "EstateError", "MasterName", "Name", "Objective",
    "Reference", "Region", "SecretReference", "Subscription", "SwitchApprovals", "Target", "fold", "holders",
]  # fmt: skip


class Region(Entry):
    """Where a part of the platform runs."""

    location: str
    """Azure's name of the region, e.g. ``East US``."""
    namespace: Name
    context: str | None = None
    """kubeconfig context; ``None`` means the cluster that the worker itself runs in."""


class Objective(Entry):
    """Recovery objectives that a run is measured against."""

    rto: timedelta = timedelta(minutes=5)
    rpo: timedelta = timedelta(0)


class ApprovalPolicy(Entry):
    """Who must agree before anything changes."""

    roles: tuple[str, ...] = ()
    """Roles that must each be filled by a different person; empty means that nobody needs to approve."""
    quorum: int | None = Field(default=None, ge=1)
    """How many of ``roles`` must be filled; ``None`` means all of them."""
    window: timedelta = timedelta(hours=4)
    """How long the run waits; then it is refused and nothing has changed."""
    signed: bool = False
    """Only votes count that were signed with a key which ``signers`` lists."""
    requester_required: bool = True
    """``by`` must be given, so that requester and approver can be told apart."""

    @property
    def needed(self) -> int:
        """Number of different people who must approve."""
        return len(self.roles) if self.quorum is None else self.quorum

    @model_validator(mode="after")
    def _quorum_is_reachable(self) -> Self:
        if len(set(self.roles)) != len(self.roles):
            message = "roles names a role twice; name each once and use people for more of one kind"
            raise ValueError(message)
        if self.quorum is not None and self.quorum > len(self.roles):
            message = f"quorum is {self.quorum}, but roles names only {len(self.roles)}; lower quorum or add roles"
            raise ValueError(message)
        return self


class SwitchApprovals(Entry):
    """Who must agree, per mode of a switch."""

    planned: ApprovalPolicy = ApprovalPolicy()
    forced: ApprovalPolicy = ApprovalPolicy()

    def of(self, mode: str) -> ApprovalPolicy:
        """Return who must agree to a switch in ``mode``."""
        return self.forced if mode == "forced" else self.planned


def fold(name: str) -> str:
    """Return a person's name as names are compared: whatever the case and the blanks around."""
    return name.strip().casefold()


def holders(people: Mapping[str, tuple[str, ...]], role: str, *, but: str = "") -> tuple[str, ...]:
    """Return those who hold ``role``, sorted, without the person ``but``."""
    return tuple(sorted(name for name, roles in people.items() if role in roles and fold(name) != fold(but)))


class Reference(Entry):
    """Which target is meant, and a digest of everything that the estate said of it when it was looked up."""

    kind: str
    name: MasterName
    pool: str = ""
    """Of a node."""
    digest: str


class Target(Entry):
    """One entry resolved: what a run keeps in its history and finishes with, whatever the file says later."""

    kinds: ClassVar[dict[str, type[Target]]] = {}
    KIND: ClassVar[str]
    NAMES: ClassVar[tuple[str, ...]] = ("name",)
    """Fields that say which one it is."""

    name: Name
    region: Region
    people: dict[str, tuple[str, ...]] = Field(default={})
    records: str | None = Field(default=None, exclude=True)
    """As older versions have told runs that are open still; nobody asks for it any more."""
    checklists: dict[Name, Checklist] = Field(default={})
    """Lists that a run on it may have to keep, by their names in the estate (``estate.checklists``)."""
    seal: str = ""
    """Signature of the worker that looked it up; empty: it has no key."""
    _told: Reference | None = PrivateAttr(default=None)

    @classmethod
    def named(cls, reference: Reference) -> Self:
        """Return a target of which only the reference is known: any other field is an AttributeError."""
        names: dict[str, Any] = {name: getattr(reference, name) for name in cls.NAMES}
        target = cls.model_construct(**names)
        for field in set(target.__dict__) - set(names):
            del target.__dict__[field]
        target._told = reference  # noqa: SLF001 - a target of this class
        return cast("Self", target)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:  # noqa: ANN401 - pydantic's signature
        """Take note of a kind."""
        cls.kinds[cls.KIND] = cls

    @property
    def told(self) -> Reference | None:
        """What is known of it, if that is all."""
        return self._told

    @property
    def detection(self) -> tuple[str, str]:
        """Kind and name of what is watched to notice that this target has failed."""
        return self.KIND, self.name

    @property
    def objective(self) -> Objective:
        """What a run is measured against."""
        raise NotImplementedError

    @property
    def watching(self) -> Watching:
        """How it is watched."""
        raise NotImplementedError

    @property
    def takes_words(self) -> bool:
        """Whether a person's word counts where nothing else proves that what led is stopped."""
        return True

    def knows(self, person: str) -> bool:
        """Whether the estate lists ``person``, whatever the case and the blanks around."""
        return fold(person) in {fold(name) for name in self.people}

    def why_no_word(self, person: str) -> str:
        """Return why ``person`` cannot say that what led is stopped; empty when they can."""
        if not self.knows(person):
            return f"by: {person} cannot attest; the estate's people are {', '.join(sorted(self.people)) or 'nobody'}"
        return ""
