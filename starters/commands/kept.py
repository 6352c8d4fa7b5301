"""``kept``: what rejoins have moved aside on the members' volumes; ``--remove`` deletes one thing of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError
from rich.console import Group
from rich.text import Text

from activities.postgres.models.upkeep import KeptBy, KeptReport
from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.client.runs import Start, answer_to, must_be_served
from starters.client.targets import cluster_name
from starters.commands import arguments as arg
from starters.render.tables import Rows
from starters.render.words import moment
from workers.connection import connect
from workflows.postgres.models import KeptRequest, kept_id

_AT_MOST = timedelta(minutes=2)


@dataclass(frozen=True)
class TypedKept:
    """What was typed."""

    target: str
    member: str | None
    remove: str | None
    by: str
    reason: str


def kept_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    member: arg.KeptMember = None,
    remove: arg.Remove = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """List or remove what rejoins have kept aside.

    wal-… is WAL that a former primary had written past the fork, pgdata-… its data directory. Either may hold the only copy
    of writes that a failover has left behind. --remove is for good.
    """
    respond(output, kept(TypedKept(target, member, remove, by, reason)))


async def kept(typed: TypedKept) -> Answer:
    """Ask every member's gate; remove one thing before, if that was asked for."""
    request = _request(typed)
    client = await connect()
    await must_be_served(client)
    summary = (
        f"remove {request.remove} of {request.member}: {request.reason}" if request.remove else "list what is kept aside"
    )
    start = Start("postgres-kept", request, kept_id(request.cluster), summary=summary, at_most=_AT_MOST)
    report = await answer_to(client, start, KeptReport)
    shown = [one for one in report.members if typed.member in {None, one.member}]
    if not shown:
        names = ", ".join(one.member for one in report.members)
        raise CommandError(Exit.USAGE, f"member: {report.cluster} has no {typed.member}; it has {names}")
    code = Exit.FAILED if any(one.error for one in shown) else Exit.DONE
    done = [Text(_done(request, report))] if request.remove else []
    return Answer(code, {"members": [one.model_dump(mode="json") for one in shown]}, Group(*done, *_lines(report, shown)))


def _request(typed: TypedKept) -> KeptRequest:
    words = {"member": typed.member, "remove": typed.remove, "by": typed.by, "reason": typed.reason}
    try:
        request = KeptRequest.model_validate({"cluster": cluster_name(typed.target), **words})
    except ValidationError as error:
        fault = error.errors()[0]
        raise CommandError(Exit.USAGE, f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r:.80}") from error
    if (message := request.fault) is not None:
        raise CommandError(Exit.USAGE, f"{message}; add --{message.partition(':')[0]}")
    return request


def _lines(report: KeptReport, shown: list[KeptBy]) -> list[Rows | Text]:
    table = Rows("member", "name", "bytes", "since", indent=0)
    for one in shown:
        for item in one.items:
            table.add_row(one.member, item.name, str(item.bytes), moment(item.since))
    lines: list[Rows | Text] = [Text(f"{one.member} does not answer: {one.error}") for one in shown if one.error]
    if any(one.items for one in shown):
        what = f"failover kept {report.cluster} --member MEMBER --remove NAME --by YOU --reason WHY"
        return [table, *lines, Text(f"remove one, for good: {what}")]
    return lines or [Text(f"{report.cluster}: nothing is kept aside")]


def _done(request: KeptRequest, report: KeptReport) -> str:
    if report.removed:
        return f"removed: {request.remove} of {request.member}"
    return f"{request.member} does not keep {request.remove} (any more): see the list"
