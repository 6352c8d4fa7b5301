"""What people call a run: a cluster's name, a workflow ID, a run ID, or both.

``orders`` is the cluster's lock ``postgres/orders``, ``mymaster`` the Redis deployment's ``redis/mymaster``, ``api`` the
workload's ``pods/api``, ``node-2`` the node's ``node/node-2``, and of its runs the newest. A run ID narrows it to one run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from estate.base import MASTER_PATTERN
from starters.client.answers import CommandError, Exit
from workflows.catalog import PROCEDURES
from workflows.postgres.models import lock_id
from workflows.run.models import lock_of
from workflows.run.procedure import ProcedureSpec

_LOCKS = lock_id("")


@dataclass(frozen=True)
class Place:
    """Where a run is found. ``run_id`` empty means the newest."""

    workflow_id: str
    run_id: str = ""
    named: bool = False
    """The person named this very run, so it is shown to them by its run ID."""

    @property
    def name(self) -> str:
        """What to type to get here again."""
        short = self.workflow_id.removeprefix(_LOCKS)
        return f"{self.workflow_id}/{self.run_id}" if self.named else short

    @property
    def kind(self) -> str:
        """What it is a run of: ``postgres``, ``redis``, ``pods`` or ``node``."""
        return self.workflow_id.partition("/")[0]

    def of(self, run_id: str) -> Place:
        """Return the place of that very run, shown as this one is: what people look at is what they decide on."""
        return replace(self, run_id=run_id)

    def handle(self, client: Client) -> WorkflowHandle[object, object]:
        """Return Temporal's handle of the run."""
        return client.get_workflow_handle(self.workflow_id, run_id=self.run_id or None)


def cluster_name(target: str) -> str:
    """Return the cluster that ``target`` names. CommandError: it cannot be one's name."""
    return _entry(target, _LOCKS, "cluster", "orders")


def target_name(spec: ProcedureSpec, target: str) -> str:
    """Return the target of ``spec`` that ``target`` names. CommandError: it cannot be one's name."""
    return _entry(target, lock_of(spec.request.subject, ""), spec.request.names, spec.example)


def _entry(target: str, locks: str, what: str, example: str) -> str:
    name = target.removeprefix(locks)
    if not re.match(MASTER_PATTERN, name):
        complaint = f"is no {what}'s name; use the name from the estate file, for example {example}"
        raise CommandError(Exit.USAGE, f"target: {target!r} {complaint}")
    return name


async def find(client: Client, target: str) -> Place:
    """Return the run that ``target`` names; a bare run ID is looked up.

    Raises:
        CommandError: nothing has that run ID, or the target is empty.

    """
    head, _, tail = target.rpartition("/")
    if _is_run_id(tail):
        return Place(head, tail, named=True) if head else await _by_run_id(client, tail)
    if "/" in target:
        return Place(target.strip("/"))
    return await _by_name(client, cluster_name(target))


async def _by_name(client: Client, name: str) -> Place:
    """Return the target of that name that has had runs; a PostgreSQL cluster's when there are several, or none."""
    for subject in dict.fromkeys(spec.request.subject for spec in PROCEDURES):
        place = Place(lock_of(subject, name))
        try:
            await place.handle(client).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            return place
    return Place(lock_id(name))


async def _by_run_id(client: Client, run_id: str) -> Place:
    async for found in client.list_workflows(f'RunId="{run_id}"', page_size=1):
        return Place(found.id, run_id, named=True)
    raise CommandError(Exit.USAGE, f"run: no run has the ID {run_id}; list them with failover history")


def _is_run_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
