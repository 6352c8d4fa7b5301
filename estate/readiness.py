"""How often it is looked whether every procedure could be started, and how gently."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from estate.base import Entry


class ReadinessChecks(Entry):
    """When ``failover-readiness`` looks."""

    every: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(minutes=30)
    """Between the end of a pass and the beginning of the next one."""
    at_once: Annotated[int, Field(ge=1, le=32)] = 8
    """Dry runs that go on at the same time."""
