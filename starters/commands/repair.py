"""``repair``: let the leader record agree with what the gates say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from rich.text import Text

from activities.postgres.models.upkeep import Repaired
from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.client.runs import Start, answer_to, must_be_served
from starters.client.targets import cluster_name
from starters.commands import arguments as arg
from workers.connection import connect
from workflows.postgres.models import RepairRequest, repair_id

_AT_MOST = timedelta(minutes=2)


@dataclass(frozen=True)
class TypedRepair:
    """What was typed."""

    target: str
    leader: str | None
    dry_run: bool
    by: str
    reason: str


def repair_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    leader: arg.LastLeader = None,
    dry_run: arg.DryRun = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Repair an outdated or changed leader record.

    For an old copy of the write Service, or another selector in it. It names the member that runs as primary, above every
    epoch seen. Refused in doubt: two primaries, a silent gate that could be one, a failover that has not ended. No server
    is stopped or promoted by it where one runs as primary.
    """
    respond(output, repair(TypedRepair(target, leader, dry_run, by, reason)))


async def repair(typed: TypedRepair) -> Answer:
    """Let a worker write the record, or say what it would write."""
    request = _request(typed)
    client = await connect()
    await must_be_served(client)
    summary = f"repair the leader record: {request.reason or 'dry run'}"
    start = Start("postgres-repair", request, repair_id(request.cluster), summary=summary, at_most=_AT_MOST)
    found = await answer_to(client, start, Repaired)
    return Answer(Exit.DONE, {"repair": found.model_dump(mode="json")}, Text(_lines(found)))


def _lines(found: Repaired) -> str:
    if not found.changes:
        return f"{found.cluster}: record and gates agree, {found.leader} leads at epoch {found.epoch}; nothing was changed"
    head = "repaired" if found.written else "would be changed"
    changes = "\n".join(f"  {line}" for line in found.changes)
    again = "" if found.written else f"\nrepair it: failover repair {found.cluster} --by YOU --reason WHY"
    return f"{found.cluster}: {head}\n{changes}{again}"


def _request(typed: TypedRepair) -> RepairRequest:
    words = {"leader": typed.leader, "dry_run": typed.dry_run, "by": typed.by, "reason": typed.reason}
    try:
        request = RepairRequest.model_validate({"cluster": cluster_name(typed.target), **words})
    except ValidationError as error:
        fault = error.errors()[0]
        raise CommandError(Exit.USAGE, f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r:.80}") from error
    if (message := request.fault) is not None:
        raise CommandError(Exit.USAGE, f"{message}; add --{message.partition(':')[0]}, or look first with --dry-run")
    return request
