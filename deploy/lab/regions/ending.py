"""Ends two regions, whatever is left of them: also after a kill of their keeper, and twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.lab import cluster, processes
from deploy.lab.cluster import Say
from deploy.lab.regions.names import Regions

KEEPER = "keeper"
_GONE_WITHIN_SECONDS = 20


@contextmanager
def one_at_a_time(regions: Regions) -> Iterator[None]:
    """Take turns with other commands that start or end labs, by the folder of all labs."""
    folder = regions.keeper.home.parent
    folder.mkdir(parents=True, exist_ok=True)
    with processes.alone_in(folder):
        yield


def has_remains(regions: Regions) -> bool:
    """Whether anything of it was started and not removed: each of its labs then has folders in its home."""
    return any(path.is_dir() for lab in regions.labs if lab.home.is_dir() for path in lab.home.iterdir())


def end(regions: Regions, say: Say = lambda _: None) -> None:
    """Leave nothing behind. What the keeper has started outside the clusters dies with it, but for PostgreSQL's children."""
    processes.end(regions.keeper, KEEPER, force=True)
    processes.wait_until("the end of the databases", lambda: not _killed(regions.folder / "azure"), _GONE_WITHIN_SECONDS)
    for lab in regions.labs:
        cluster.down(lab, lambda _: None)
    say("  both regions and all that stood outside them are gone")


def _killed(folder: Path) -> bool:
    """Kill the servers that work in ``folder``; return whether there was one."""
    found = False
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            program, place = (entry / "exe").readlink().name, (entry / "cwd").readlink()
            if program.startswith("postgres") and place.is_relative_to(folder):
                os.kill(int(entry.name), signal.SIGKILL)
                found = True
    return found
