"""``python -m gate``: first process of a PostgreSQL container."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from aiohttp import web
from pydantic import ValidationError

from gate.commands.http import application
from gate.loop.core import Gate
from gate.loop.loop import Loop
from gate.postgres.server import reap_orphans
from gate.settings import Settings

_USAGE = 2
_ANSWERS_WITHIN_SECONDS = 1.0
"""A command that waits for a server which has been stopped is not waited for."""


async def _serve(settings: Settings) -> None:
    gate = Gate(settings)
    runner = web.AppRunner(application(gate), access_log=None, shutdown_timeout=_ANSWERS_WITHIN_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, settings.listen, settings.port).start()
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _end, gate, ending)
    reaper = asyncio.create_task(reap_orphans())
    work = [asyncio.create_task(Loop(gate).run()), asyncio.create_task(ending.wait())]
    done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    if ending.is_set():  # the loop goes on: a switch needs it
        await gate.handover.wait()
    for task in (*work, reaper):
        task.cancel()
    await gate.shut_down()
    await runner.cleanup()
    for task in done:
        task.result()


def _end(gate: Gate, ending: asyncio.Event) -> None:
    gate.handover.hurry()
    ending.set()


def main() -> int:
    """Run a gate until it is told to end."""
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(f"GATE_{str(fault['loc'][0]).upper()}: {fault['msg'].lower()}" for fault in error.errors())
        print(f"gate: {faults}", file=sys.stderr)  # noqa: T201
        return _USAGE
    if os.geteuid() == 0:
        print("gate: runs as root, and PostgreSQL refuses that; set runAsUser to the postgres user", file=sys.stderr)  # noqa: T201
        return _USAGE
    try:
        asyncio.run(_serve(settings))
    except BlockingIOError:
        print(f"gate: another gate holds {settings.directory}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
