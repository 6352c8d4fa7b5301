"""Checklists: what must be so before a procedure changes anything, and after it has, as the estate describes it.

An item is a person's (``human``) or is looked at by a step. A list names the procedures that it is for; a run takes all
lists that name its procedure, its target and its mode. Keys differ among the lists of one procedure, so that a key alone
says which item of a run is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from estate.check_items import Item
from estate.parts import Entry, MasterName

_Wait = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=1))]

KINDS = {
    "postgres-failover": "postgres",
    "postgres-rollback": "postgres",
    "postgres-adopt": "postgres",
    "postgres-region-failover": "flexible",
    "redis-failover": "redis",
    "pod-failover": "workload",
    "node-failover": "node",
    "region-failover": "region",
    "region-recovery": "region",
    "region-failback": "region",
    "dns-failover": "traffic",
    "gateway-failover": "gateway",
    "failover-drill": "drill",
}
"""Procedure that a list can be for → kind of its targets. What only makes redundant again, or fences, waits for nobody."""


class Gate(StrEnum):
    """Where a run looks at a list."""

    BEFORE = "before"
    """After people have agreed, before anything is changed."""
    AFTER = "after"
    """After all has succeeded, before the run ends."""


class Checklist(Entry):
    """One list, for some procedures."""

    procedures: tuple[str, ...] = Field(min_length=1)
    targets: tuple[MasterName, ...] = ()
    """Names of targets; empty: all."""
    modes: tuple[Literal["planned", "forced"], ...] = ()
    """Empty: all."""
    before: tuple[Item, ...] = ()
    after: tuple[Item, ...] = ()
    before_within: _Wait = timedelta(hours=4)
    """How long a run waits before it changes anything; then it is refused."""
    after_within: _Wait = timedelta(hours=1)
    """How long a run that has succeeded waits; then it ends, and what is open is listed."""

    @model_validator(mode="after")
    def _procedures_are_known(self) -> Self:
        if unknown := sorted(set(self.procedures) - set(KINDS)):
            message = f"procedures names {', '.join(unknown)}; known: {', '.join(KINDS)}"
            raise ValueError(message)
        return self

    def items(self, gate: Gate) -> tuple[Item, ...]:
        """Return the items of one gate, in order."""
        return self.before if gate is Gate.BEFORE else self.after

    def is_for(self, procedure: str, mode: str = "") -> bool:
        """Whether a run of ``procedure`` takes it; a mode that is empty is any."""
        return procedure in self.procedures and (not self.modes or mode in {"", *self.modes})

    @property
    def keys(self) -> list[str]:
        """Return the keys of all its items."""
        return [item.key for item in (*self.before, *self.after)]


def lists_of(checklists: dict[str, Checklist], kind: str, name: str) -> dict[str, Checklist]:
    """Return those that are for a target of ``kind`` called ``name``."""
    return {
        title: one
        for title, one in checklists.items()
        if (not one.targets or name in one.targets) and any(KINDS[procedure] == kind for procedure in one.procedures)
    }


def item_of(checklists: dict[str, Checklist], procedure: str, key: str) -> Item | None:
    """Return the item ``key`` of the lists of ``procedure``; ``None``: there is none."""
    found = (item for one in checklists.values() if one.is_for(procedure) for item in (*one.before, *one.after))
    return next((item for item in found if item.key == key), None)


def fault_of(checklists: dict[str, Checklist], targets: Mapping[str, Mapping[str, object]], roles: set[str]) -> str:
    """Return what does not fit the rest of the estate, key first; empty: nothing.

    ``targets``: kind → its entries; of a kind that is left out any name may be meant. ``roles``: those that somebody holds.
    """
    for title, one in checklists.items():
        where = f"checklists.{title}"
        kinds = {KINDS[procedure] for procedure in one.procedures}
        known = sorted(name for kind in kinds for name in targets.get(kind, ()))
        if kinds <= set(targets) and (unknown := [name for name in one.targets if name not in known]):
            return f"{where}.targets names {', '.join(unknown)}, which its procedures do not have; known: {', '.join(known)}"
        for item in (*one.before, *one.after):
            missing = [role for role in getattr(item, "roles", ()) if role not in roles]
            if missing:
                return f"{where}: {item.key} asks for {', '.join(missing)}, but nobody under people holds it"
    return _twice(checklists)


def _twice(checklists: dict[str, Checklist]) -> str:
    """Return which key a run could have twice; empty: none."""
    for procedure in KINDS:
        taken: dict[str, str] = {}
        for title, one in checklists.items():
            for key in one.keys if one.is_for(procedure) else ():
                if key in taken:
                    return f"checklists.{title} has the key {key}, which {taken[key]} has for {procedure} already"
                taken[key] = title
    return ""
