"""Keeps two regions up until it is killed: ``python -m deploy.lab.regions.keeper NAME``, detached from any terminal.

    failover lab up regions ── starts, once ──> keeper ──> Temporal, workers, PostgreSQL; in itself Azure, edge, customer
    failover lab break, heal, status ── socket ───┘  └───> two clusters, whose processes outlive it

It has no orderly end. ``down`` kills it; what it has started outside the clusters dies with it (``PR_SET_PDEATHSIG``), and
``down`` removes the clusters, as it does when somebody else has killed it. The shared memory of PostgreSQL lies in an IPC
namespace of the keeper's own, which the kernel frees with its last process.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from deploy.lab.cluster import Say
from deploy.lab.names import LabError, LabUsageError
from deploy.lab.processes import leave_the_machines_shared_memory
from deploy.lab.regions.control import listener
from deploy.lab.regions.facts import environment_of, facts_of
from deploy.lab.regions.faults import Scene, break_it, heal
from deploy.lab.regions.names import Regions
from deploy.lab.regions.stage import two_regions
from deploy.lab.signposts import write_variables

_CUSTOMER_SECONDS = 0.2
_FAILURES = (OSError, TimeoutError, RuntimeError, psycopg.Error)
Facts = dict[str, Any]
See = Callable[[], Awaitable[Facts]]


class Keeper:
    """Answers on the control socket in ``home``: from the first moment, so that a command can follow the start."""

    def __init__(self, home: Path) -> None:
        """Hear nothing yet."""
        self._home = home
        self._said: list[str] = []
        self._kept: tuple[Scene, See] | None = None
        self._failure = ""
        self._turn = asyncio.Lock()
        self._hearing: set[asyncio.Task[None]] = set()

    def say(self, line: str) -> None:
        """Tell of the start to everybody who waits for it."""
        self._said.append(line)
        print(line, flush=True)

    def ready(self, scene: Scene, see: See) -> None:
        """Take orders about ``scene`` from now on."""
        self._kept = (scene, see)

    async def fail(self, failure: str) -> None:
        """Tell everybody who waits that there will be nothing; return when they have heard it."""
        self._failure = failure
        await asyncio.gather(*self._hearing, return_exceptions=True)

    async def serve(self) -> asyncio.Server:
        """Open the socket."""
        return await asyncio.start_unix_server(self._hear, sock=listener(self._home))

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._hearing.add(task)
            task.add_done_callback(self._hearing.discard)

        def tell(part: Facts) -> None:
            writer.write(json.dumps(part).encode() + b"\n")

        with suppress(OSError, ValueError):  # it has gone, or speaks no JSON
            tell(await self._answer(json.loads(await reader.readline()), lambda line: tell({"say": line})))
            await writer.drain()
        writer.close()

    async def _answer(self, request: dict[str, str], say: Say) -> Facts:
        try:
            return {"done": await self._do(request, say)}
        except LabError as error:
            return {"error": str(error), "usage": isinstance(error, LabUsageError)}
        except _FAILURES as error:
            return {"error": f"{request.get('do')} failed ({type(error).__name__}: {error}); ask again", "usage": False}

    async def _do(self, request: dict[str, str], say: Say) -> Facts:
        do, what, target = (request.get(name, "") for name in ("do", "what", "target"))
        if do == "await":
            return await self._started(say)
        if self._kept is None:
            raise LabError("the two regions are still starting; failover lab up regions shows how far they are")
        scene, see = self._kept
        if do == "status":
            return await see()
        async with self._turn:  # one change at a time, whichever terminals they come from
            done = await (heal(scene, what, target, say) if do == "heal" else break_it(scene, what, target))
        return {"done": done}

    async def _started(self, say: Say) -> Facts:
        told = len(self._said) if self._kept else 0  # how it started long ago is no news
        while True:
            for line in self._said[told:]:
                say(line)
                told += 1
            if self._failure:
                raise LabError(self._failure)
            if self._kept is not None:
                return await self._kept[1]()
            await asyncio.sleep(0.05)


async def keep(regions: Regions) -> None:
    """Keep them until this process is killed. LabError and the like: they do not start, and nothing is left of them."""
    keeper = Keeper(regions.keeper.home)
    async with await keeper.serve():
        try:
            async with two_regions(keeper.say, regions, _CUSTOMER_SECONDS) as stage:
                write_variables(regions.environment, environment_of(stage))
                keeper.ready(stage, lambda: facts_of(stage))
                await asyncio.Event().wait()
        except Exception as error:
            await keeper.fail(f"the two regions did not start: {type(error).__name__}: {error}")
            raise


if __name__ == "__main__":
    leave_the_machines_shared_memory()
    asyncio.run(keep(Regions(sys.argv[1])))
