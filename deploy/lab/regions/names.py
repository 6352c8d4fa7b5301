"""How a lab of two regions is called, and where it keeps its things.

It consists of three labs, one for each cluster and one for what stands outside both, which end and go as any other does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.lab.names import Lab, LabUsageError

_LONGEST = 6


@dataclass(frozen=True)
class Regions:
    """Two regions by name. Makes no promise that they run."""

    name: str = "lab"

    def __post_init__(self) -> None:
        """Refuse a name that leaves no room for those of the parts."""
        Lab(self.name)
        if not self.may_be_called(self.name):
            raise LabUsageError(f"name: {self.name!r} must have at most {_LONGEST} characters for two regions")

    @staticmethod
    def may_be_called(name: str) -> bool:
        """Whether two regions can have the name of a lab."""
        return len(name) <= _LONGEST

    @property
    def option(self) -> str:
        """What to add to a ``failover lab`` command to mean these."""
        return Lab(self.name).option

    @property
    def clusters(self) -> tuple[Lab, Lab]:
        """The cluster of the first region, and of the second."""
        return Lab(f"{self.name}east"), Lab(f"{self.name}west")

    @property
    def keeper(self) -> Lab:
        """What stands outside both: databases, Azure, edge, Temporal, workers, and the process that keeps them."""
        return Lab(f"{self.name}keep")

    @property
    def labs(self) -> tuple[Lab, ...]:
        """All of its labs."""
        return (*self.clusters, self.keeper)

    @property
    def folder(self) -> Path:
        """Where databases, estate, secrets and records are; the postgres user looks into it."""
        return self.keeper.home / "stage"

    @property
    def environment(self) -> Path:
        """Variables for a shell's ``source``, and for ``./run failover``."""
        return self.keeper.home / "environment"
