"""``pause``, and what other commands say of a pause.

The pause itself lives in the leader record, which a worker writes. What was asked for last, and done, stands in Temporal:
that is what ``status`` shows, so that it needs no worker. Doctor reads the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError
from rich.text import Text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.postgres.models.upkeep import Paused
from activities.run.models.wire import read
from gate.loop.pause import words_of
from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.client.runs import Start, answer_to, must_be_served
from starters.client.targets import cluster_name
from starters.commands import arguments as arg
from workers.connection import connect
from workflows.postgres.models import LONGEST_PAUSE, PauseRequest, pause_id

_AT_MOST = timedelta(minutes=2)
_PAUSES = "WorkflowType = 'postgres-pause' AND ExecutionStatus = 'Completed'"
_OPTIONS = {"lasts": "for"}


@dataclass(frozen=True)
class TypedPause:
    """What was typed."""

    target: str
    lasts: str | None
    off: bool
    by: str
    reason: str


class Pause(BaseModel):
    """A pause that stands."""

    cluster: str
    until: str
    by: str
    because: str

    @property
    def line(self) -> str:
        """What people read, and how it is ended."""
        words = words_of(self.until, self.by, self.because)
        return f"{self.cluster}: automatic rejoin is {words}; end it: failover pause {self.cluster} --off"


def pause_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    lasts: arg.For = None,
    off: arg.Off = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Pause automatic actions at a PostgreSQL cluster.

    No rejoin, no copying of a standby, and no automatic failover until --for is over, or --off. What people start goes
    ahead: failover, rejoin. Allowed while a run goes on. Servers that run are not touched.
    """
    respond(output, pause(TypedPause(target, lasts, off, by, reason)))


async def pause(typed: TypedPause) -> Answer:
    """Pause, or end the pause; wait until the record says so."""
    request = _request(typed)
    client = await connect()
    await must_be_served(client)
    paused = await _write(client, request)
    if not paused.until:
        return Answer(Exit.DONE, {"pause": None}, f"{paused.cluster} is not paused: its members rejoin automatically")
    stands = Pause(**paused.model_dump())
    note = "what people ask for goes ahead: failover, rejoin"
    return Answer(Exit.DONE, {"pause": stands.model_dump()}, Text(f"{stands.line}\n{note}"))


def _request(typed: TypedPause) -> PauseRequest:
    cluster = cluster_name(typed.target)
    try:
        request = PauseRequest.model_validate(
            {"cluster": cluster, "lasts": typed.lasts, "off": typed.off, "by": typed.by, "reason": typed.reason}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        name = _OPTIONS.get(str(fault["loc"][0]), fault["loc"][0])
        raise CommandError(
            Exit.USAGE, f"{name}: {fault['msg']}, got {fault['input']!r:.80}; for example --for 2h"
        ) from error
    if (message := request.fault) is not None:
        name = message.partition(":")[0]
        of_time = f"for: give one of the two, --for 2h (at most {LONGEST_PAUSE.days} days) or --off to end the pause"
        raise CommandError(Exit.USAGE, of_time if name == "lasts" else f"{message}; add --{name}")
    return request


async def _write(client: Client, request: PauseRequest) -> Paused:
    """Let a worker write the pause; return what stands in the record."""
    summary = f"{'end the pause' if request.off else 'pause'}: {request.reason or 'no reason given'}"
    start = Start("postgres-pause", request, pause_id(request.cluster), summary=summary, at_most=_AT_MOST)
    return await answer_to(client, start, Paused)


async def pauses(client: Client, workflow_id: str = "") -> tuple[Pause, ...]:
    """Return the pauses that stand, of all clusters or of the one whose pauses have ``workflow_id``; newest word counts."""
    since = datetime.now(UTC) - LONGEST_PAUSE - _AT_MOST
    query = f"{_PAUSES} AND CloseTime > '{since:%Y-%m-%dT%H:%M:%SZ}'"
    query += f" AND WorkflowId = '{workflow_id}'" if workflow_id else ""
    newest: dict[str, dict[str, Any]] = {}
    try:
        async for found in client.list_workflows(query, limit=1 if workflow_id else None):
            if found.id not in newest:
                handle = client.get_workflow_handle(found.id, run_id=found.run_id, result_type=Paused)
                newest[found.id] = read(Paused, await handle.result()).model_dump()
    except RPCError as error:
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
    found_now = (Pause.model_validate(one) for one in newest.values())
    return tuple(one for one in found_now if _stands(one, datetime.now(UTC)))


def _stands(one: Pause, now: datetime) -> bool:
    return bool(one.until) and now < datetime.fromisoformat(one.until)
