"""The systems that steps act on, handed to them by the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from activities.clients.ports import Gates, Kubernetes, LeaderRecords, Postgres


@dataclass(frozen=True)
class Systems:
    """One client per kind of system."""

    kubernetes: Kubernetes
    leader_records: LeaderRecords
    gates: Gates
    postgres: Postgres
