"""What a worker knows of its targets: the estate file, as it is now and as this process has read it before.

A run looks its target up once and finishes with what it was told then. Its steps carry a reference only, and the worker
fills in the rest (``activities.run.own_targets``): from its own file, from what the file said earlier, or, when the file was
changed and the worker restarted since, from the run's own history, if one of our workers has signed what stands there.
Whoever schedules a step therefore chooses one of our targets, and nothing about it. A target that fits none is refused.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.models.inventory import ResolveRequest
from activities.run.postures import READ
from activities.run.signing import Signatures
from estate.base import EstateError, Reference, Target, fold
from estate.drilled import DrillTarget
from estate.flexible import FlexibleTarget
from estate.gateways import GatewayTarget
from estate.loader import estate_text, parse_estate
from estate.model import Estate
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.reference import reference_of
from estate.regions import RegionTarget
from estate.resolving import (
    resolve_drill,
    resolve_flexible,
    resolve_gateway,
    resolve_redis,
    resolve_reference,
    resolve_region,
    resolve_target,
    resolve_traffic,
    resolve_workload,
)
from estate.traffic import TrafficTarget
from estate.workloads import WorkloadTarget

T = TypeVar("T")
G = TypeVar("G", bound=Target)
ANOTHER_MAY_KNOW = timedelta(seconds=1)
_VERSIONS = 16
"""Versions of the file that are remembered."""


class Inventory:
    """The estate file of one worker."""

    def __init__(self, path: Path, signatures: Signatures | None = None, *, any_version: bool = False) -> None:
        """Read ``path`` anew for every question, so that an edited estate needs no restart.

        ``any_version``: whatever was told of a target, take what the file says now. For who only looks.
        """
        self._path, self._signatures, self._any_version = path, signatures or Signatures(), any_version
        self._texts: deque[tuple[str, Estate]] = deque(maxlen=_VERSIONS)
        self._look()

    def estate(self) -> Estate:
        """Return the estate as it is now. ApplicationError: ``BadEstate``, the file cannot be used."""
        try:
            text = estate_text(self._path)
            for known in self._texts:
                if known[0] == text:
                    self._texts.remove(known)
                    self._texts.appendleft(known)
                    return known[1]
            estate = parse_estate(self._path, text)
        except EstateError as error:
            raise refuse(Refusal.BAD_ESTATE, str(error)) from error
        self._texts.appendleft((text, estate))
        return estate

    @property
    def signs(self) -> bool:
        """Whether a run survives that its estate is edited and every worker restarted."""
        return self._signatures.has_key

    def told(self, target: G) -> G:
        """Return ``target`` as a run is told of it: signed, where this worker has a key."""
        return self._signatures.sealed(target)

    async def whole(self, target: G) -> G:
        """Return what this worker knows of ``target``.

        Raises:
            ApplicationError: ``BadInput`` when it knows no such target, or knows it otherwise. It is tried again: an edited
                file reaches one worker before the other.

        """
        wanted = reference_of(target)
        found = self._own(wanted) or await self._signatures.found_in_history(type(target), wanted)
        if found is None:
            raise ApplicationError(
                f"{wanted.kind} {wanted.name}: this worker's estate does not list it, or not as this run was told, and no"
                " worker has signed that; another worker may know it, or put the estate back until the run has ended",
                type=Refusal.BAD_INPUT.value,
                next_retry_delay=ANOTHER_MAY_KNOW,
            )
        assert isinstance(found, type(target))  # noqa: S101 - the kind is part of the reference
        return found

    @property
    def latest(self) -> Estate | None:
        """The newest version that could be read."""
        self._look()
        return self._texts[0][1] if self._texts else None

    def _look(self) -> None:
        """Remember the file as it is now; a file that cannot be used leaves what was read before."""
        with contextlib.suppress(ApplicationError):
            self.estate()

    def _own(self, wanted: Reference) -> Target | None:
        """Return what the file says, or has said before."""
        self._look()
        for _, estate in self._texts:
            try:
                found = resolve_reference(estate, wanted)
            except EstateError:
                continue
            if self._any_version or reference_of(found) == wanted:
                return found
        return None


def listed(estate: Estate, resolve: Callable[[Estate, str], T], name: str) -> T:
    """Return what ``resolve`` finds in the estate. ApplicationError: ``BadInput``, it lists no such ``name``."""
    try:
        return resolve(estate, name)
    except EstateError as error:
        raise refuse(Refusal.BAD_INPUT, str(error)) from error


def must_be_listed(estate: Estate, by: str | None) -> None:
    """Return if the estate lists the person ``by``, or lists nobody at all, or nobody is named.

    A name that nobody has would void the rule that the requester does not approve: whoever typed it could.

    Raises:
        ApplicationError: ``BadInput``; nothing was changed.

    """
    if by and by.strip() and estate.people and fold(by) not in {fold(name) for name in estate.people}:
        raise refuse(
            Refusal.BAD_INPUT, f"people: nobody is called {by}; the estate lists {', '.join(sorted(estate.people))}"
        )


class EstateActivities:
    """Looks a target up, once per run."""

    def __init__(self, inventory: Inventory) -> None:
        """Look into ``inventory``."""
        self._inventory = inventory

    @step("estate.resolve", READ, lambda request: f"look up {request.cluster}")
    async def resolve(self, request: ResolveRequest) -> PostgresTarget:
        """Return one cluster with all that a run needs to know about it. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when the file cannot be used, ``BadInput`` for an unknown cluster or person.

        """
        return self._inventory.told(self._asked(request, resolve_target))

    @step("estate.resolve_drill", READ, lambda request: f"look up the drill {request.cluster}")
    async def resolve_drill(self, request: ResolveRequest) -> DrillTarget:
        """Return one drill with what it looks at, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_drill))

    @step("estate.resolve_flexible", READ, lambda request: f"look up {request.cluster}")
    async def resolve_flexible(self, request: ResolveRequest) -> FlexibleTarget:
        """Return one database on Flexible Servers, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_flexible))

    @step("estate.resolve_gateway", READ, lambda request: f"look up {request.cluster}")
    async def resolve_gateway(self, request: ResolveRequest) -> GatewayTarget:
        """Return one application gateway, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_gateway))

    @step("estate.resolve_region", READ, lambda request: f"look up {request.cluster}")
    async def resolve_region(self, request: ResolveRequest) -> RegionTarget:
        """Return one region with the databases that move with it, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_region))

    @step("estate.resolve_redis", READ, lambda request: f"look up {request.cluster}")
    async def resolve_redis(self, request: ResolveRequest) -> RedisTarget:
        """Return one Redis deployment, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_redis))

    @step("estate.resolve_traffic", READ, lambda request: f"look up {request.cluster}")
    async def resolve_traffic(self, request: ResolveRequest) -> TrafficTarget:
        """Return one public name, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_traffic))

    @step("estate.resolve_workload", READ, lambda request: f"look up {request.cluster}")
    async def resolve_workload(self, request: ResolveRequest) -> WorkloadTarget:
        """Return one workload, as ``estate.resolve``."""
        return self._inventory.told(self._asked(request, resolve_workload))

    def _asked(self, request: ResolveRequest, resolve: Callable[[Estate, str], T]) -> T:
        estate = self._inventory.estate()
        found = listed(estate, resolve, request.cluster)
        must_be_listed(estate, request.by)
        return found
