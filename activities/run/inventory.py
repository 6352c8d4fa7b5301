"""Looks a target up in the estate file, once per run: the run finishes with the inventory it started with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.inventory import ResolveRequest
from activities.run.postures import READ
from estate.loader import EstateError, load_estate, resolve_redis, resolve_target, resolve_workload
from estate.model import Estate
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.workloads import WorkloadTarget

T = TypeVar("T")


def load(path: Path) -> Estate:
    """Return the estate in ``path``. ApplicationError: ``BadEstate``, the file cannot be used."""
    try:
        return load_estate(path)
    except EstateError as error:
        raise refuse(Refusal.BAD_ESTATE, str(error)) from error


def listed(estate: Estate, resolve: Callable[[Estate, str], T], name: str) -> T:
    """Return what ``resolve`` finds in the estate. ApplicationError: ``BadInput``, it lists no such ``name``."""
    try:
        return resolve(estate, name)
    except EstateError as error:
        raise refuse(Refusal.BAD_INPUT, str(error)) from error


class EstateActivities:
    """Reads the estate file that the worker was given."""

    def __init__(self, path: Path) -> None:
        """Read ``path`` anew for every run, so that an edited estate needs no restart."""
        self._path = path

    @step("estate.resolve", READ, lambda request: f"look up {request.cluster}")
    async def resolve(self, request: ResolveRequest) -> PostgresTarget:
        """Return one cluster with all that a run needs to know about it. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when the file cannot be used, ``BadInput`` for an unknown cluster.

        """
        return listed(load(self._path), resolve_target, request.cluster)

    @step("estate.resolve_redis", READ, lambda request: f"look up {request.cluster}")
    async def resolve_redis(self, request: ResolveRequest) -> RedisTarget:
        """Return one Redis deployment, as ``estate.resolve``."""
        return listed(load(self._path), resolve_redis, request.cluster)

    @step("estate.resolve_workload", READ, lambda request: f"look up {request.cluster}")
    async def resolve_workload(self, request: ResolveRequest) -> WorkloadTarget:
        """Return one workload, as ``estate.resolve``."""
        return listed(load(self._path), resolve_workload, request.cluster)
