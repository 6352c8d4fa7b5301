"""Runs a program of the worker and reads what it says. No shell; it is ended when its time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from activities.clients.checks.judged import newest_of_pgbackrest, timestamp_in
from activities.run.errors import UnreachableError
from estate.check_items import BackupFormat, PostgresBackupItem


class Ended(NamedTuple):
    """How a program has ended."""

    code: int
    text: str
    complaint: str
    """Its standard error; empty where that was read with its output."""


async def run_within(
    within: timedelta, name: str, command: Sequence[str], *, env: Mapping[str, str] | None = None, together: bool = False
) -> Ended:
    """Run ``command`` to its end. ``together``: its standard error comes with its output.

    Raises:
        UnreachableError: it cannot be started, or it took longer than ``within`` and was killed; says ``name``.

    """
    pipe, other = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    try:
        running = await asyncio.create_subprocess_exec(
            *command, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=other if together else pipe
        )
    except OSError as error:
        raise UnreachableError(f"{name}: {error.strerror}") from error
    try:
        async with asyncio.timeout(within.total_seconds()):
            out, complaint = await running.communicate()
    except TimeoutError as error:
        raise UnreachableError(f"{name} took more than {within.total_seconds():g} s") from error
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return Ended(running.returncode or 0, out.decode(errors="replace"), (complaint or b"").decode(errors="replace"))


async def output_of(item: PostgresBackupItem) -> tuple[datetime | None, str]:
    """Return the time of the newest backup and its label. UnreachableError: the program does not say."""
    name = item.command[0]
    ended = await run_within(item.within, name, item.command)
    if ended.code != 0:
        last = ended.complaint.strip().splitlines()
        raise UnreachableError(f"{name} ended with {ended.code}{f': {last[-1]}' if last else ''}")
    text = ended.text
    return newest_of_pgbackrest(text) if item.format is BackupFormat.PGBACKREST else (timestamp_in(text), "")
