"""``failover readiness``: whether each procedure could be started for each target, and since when it could not.

What the last pass has found is in the memo of its workflow, so that it is shown without any worker. What is too old is
shown as unknown, never as ready.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.console import Group
from rich.text import Text
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.run.models.wire import read
from starters.client.answers import Answer, CommandError, Exit, Output, is_no_namespace, respond
from starters.client.runs import Start, begin, must_be_served
from starters.client.server import has_worker
from starters.commands import arguments as arg
from starters.render.readiness import NOT_CHECKED, block, changes, headline, table
from workers.connection import connect
from workflows.readiness.models import READINESS_ID, READINESS_MEMO, UNHURRIED, Check, Readiness, ReadinessStatus
from workflows.run.state import PHASE

_NOW_WITHIN, _LOOK_EVERY_SECONDS = timedelta(minutes=15), 0.5
_ASKED_WITHIN = timedelta(seconds=5)


class OrTarget(typer.core.TyperGroup):
    """``failover readiness orders --now`` is ``failover readiness show orders --now``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Put the name of the usual command where none is named."""
        named = args[:1] and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["show", *args])


def show_command(target: arg.Checked = None, *, now: arg.Now = False, output: arg.OutputOption = Output.TEXT) -> None:
    """Show what could be started, and since when what could not.

    Exits with 1 when a procedure would be refused, or when that is unknown.
    """
    respond(output, show(target, now=now))


def start_command(*, output: arg.OutputOption = Output.TEXT) -> None:
    """Start checking every procedure for every target.

    By dry runs, every 30 minutes. Where it runs already, a pass is made now, with the inventory as it is now.
    """
    respond(output, start())


def stop_command(*, output: arg.OutputOption = Output.TEXT) -> None:
    """Stop checking."""
    respond(output, stop())


async def show(target: str | None, *, now: bool) -> Answer:
    """Show what the last pass has found; with ``now``, of one that is made now."""
    client = await connect()
    if now:
        await _pass_now(client)
    status = await standing(client, full=True)
    if status is None:
        return Answer(Exit.FAILED, {"readiness": None}, complaint=NOT_CHECKED)
    checks = _chosen(status, target)
    shown = status.model_copy(update={"checks": checks}) if target else status
    text = Group(headline(status, datetime.now(UTC)), *([table(checks)] if checks else []), *changes(status, checks))
    return Answer(_exit_of(status, checks), {"readiness": shown.model_dump(mode="json")}, text)


async def start() -> Answer:
    """Start it, or have the one that runs make a pass."""
    client = await connect()
    await must_be_served(client)
    before = await standing(client)
    wanted = Start(
        "failover-readiness",
        {},
        READINESS_ID,
        "dry runs of every procedure for every target",
        if_open=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=UNHURRIED,
        signal="look_now",
    )
    await begin(client, wanted)
    did = "started" if before is None else "runs already; a pass is made now"
    text = f"readiness: {did}\nwhat it finds: failover readiness"
    return Answer(Exit.DONE, {"started": before is None}, text)


async def stop() -> Answer:
    """End it."""
    client = await connect()
    running = await _described(client) is not None
    if running:
        await client.get_workflow_handle(READINESS_ID).cancel()
    told = "readiness: not checked any more" if running else "readiness is not checked"
    return Answer(Exit.DONE, {"stopped": running}, Text(f"{told}; start it again: failover readiness start"))


async def standing(client: Client, *, full: bool = False) -> ReadinessStatus | None:
    """Return what is known now; ``None``: it is not checked. ``full``: with what is ready, where a worker answers."""
    found = await _described(client)
    if found is None:
        return None
    status = await _asked(client) if full and await has_worker(client) else None
    return (status or await _in_memo(found)).as_of(datetime.now(UTC))


def standing_block(status: ReadinessStatus | None) -> Group:
    """Return what ``status`` shows of it."""
    return Group(*block(status, datetime.now(UTC)))


def _chosen(status: ReadinessStatus, target: str | None) -> tuple[Check, ...]:
    """Return the checks that are shown. CommandError: ``target`` is none that is checked."""
    if target is None:
        return tuple(one for one in status.checks if one.readiness is not Readiness.READY)
    if found := status.of(target):
        return found
    known = ", ".join(sorted({one.target for one in status.checks})[:20]) or "nothing yet"
    raise CommandError(Exit.USAGE, f"target: {target!r} is not checked, or all of it is ready; what is listed: {known}")


def _exit_of(status: ReadinessStatus, checks: tuple[Check, ...]) -> Exit:
    bad = any(one.readiness in {Readiness.BLOCKED, Readiness.UNKNOWN} for one in checks)
    return Exit.FAILED if bad or status.unknown or status.checked_at is None else Exit.DONE


async def _pass_now(client: Client) -> None:
    """Have a pass made, and wait for its end. CommandError: nothing is checked, or it takes too long."""
    await must_be_served(client, "no pass was made")
    found = await _described(client)
    if found is None:
        raise CommandError(Exit.FAILED, NOT_CHECKED)
    before = (await _in_memo(found)).passes
    await client.get_workflow_handle(READINESS_ID).signal("look_now")
    try:
        async with asyncio.timeout(_NOW_WITHIN.total_seconds()):
            while True:
                found = await _described(client)
                if found is None or _has_followed(found, before, (await _in_memo(found)).passes):
                    return
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
    except TimeoutError:
        words = f"the pass has not ended within {_NOW_WITHIN.total_seconds() / 60:.0f} minutes; it goes on"
        raise CommandError(Exit.FAILED, f"{words}: failover readiness") from None


def _has_followed(found: WorkflowExecutionDescription, before: int, passes: int) -> bool:
    """Whether a pass has ended that began after somebody had asked: the first to end may have been under way then.

    It rests only when no pass is asked for. Between two histories it is still called checking.
    """
    rests = found.typed_search_attributes.get(PHASE) == "resting"
    return passes > before + 1 or (rests and passes > before)


async def _described(client: Client) -> WorkflowExecutionDescription | None:
    """Return the run that checks; ``None``: there is none."""
    try:
        found = await client.get_workflow_handle(READINESS_ID).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or is_no_namespace(error):
            raise
        return None
    return found if found.status is WorkflowExecutionStatus.RUNNING else None


async def _in_memo(found: WorkflowExecutionDescription) -> ReadinessStatus:
    said: Any = await found.memo_value(READINESS_MEMO, None)
    return read(ReadinessStatus, said) if said else ReadinessStatus()


async def _asked(client: Client) -> ReadinessStatus | None:
    """Return what a worker says; ``None``: none does."""
    handle = client.get_workflow_handle(READINESS_ID)
    try:
        return read(ReadinessStatus, await handle.query("readiness", rpc_timeout=_ASKED_WITHIN))
    except (RPCError, WorkflowQueryFailedError):
        return None
