"""Asks a program of the worker when the newest backup was made. No shell; it is ended when its time is up."""

from __future__ import annotations

import asyncio
from datetime import datetime

from activities.clients.checks.judged import newest_of_pgbackrest, timestamp_in
from activities.run.errors import UnreachableError
from estate.check_items import BackupFormat, PostgresBackupItem


async def output_of(item: PostgresBackupItem) -> tuple[datetime | None, str]:
    """Return the time of the newest backup and its label. UnreachableError: the program does not say."""
    name = item.command[0]
    try:
        running = await asyncio.create_subprocess_exec(
            *item.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise UnreachableError(f"{name}: {error.strerror}") from error
    try:
        async with asyncio.timeout(item.within.total_seconds()):
            out, complaint = await running.communicate()
    except TimeoutError as error:
        raise UnreachableError(f"{name} took more than {item.within.total_seconds():g} s") from error
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    if running.returncode != 0:
        last = complaint.decode(errors="replace").strip().splitlines()
        raise UnreachableError(f"{name} ended with {running.returncode}{f': {last[-1]}' if last else ''}")
    text = out.decode(errors="replace")
    return newest_of_pgbackrest(text) if item.format is BackupFormat.PGBACKREST else (timestamp_in(text), "")
