"""A cluster that gates have set up once, from nothing, and that is copied for every test that begins where it ended."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gate.record import NO_SYNC
from tests.gate.harness import SERVICE_FILE, running_cluster
from tests.leftovers.marks import MEMORY, folder_prefix

_ROOM = 4 * 1024**3


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder, in memory if there is room, that the postgres user can enter; pytest's own belongs to root alone."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > _ROOM
    path = Path(tempfile.mkdtemp(prefix=folder_prefix("gate"), dir=MEMORY if roomy else None))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


async def made_once(place: Path) -> Path:
    """Return the template in ``place``, which all processes of a session share; the first one to ask makes it."""
    with (place / "gate-template.lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        template = place / "gate-template"
        if not template.exists():
            with new_folder() as folder:
                await _make(folder)
                scratch = place / "gate-template.new"
                scratch.mkdir()
                copy(folder, scratch)
            scratch.rename(template)
        return template


async def _make(folder: Path) -> None:
    """Set a pair up and stop it cleanly, the primary first; say in the record that commits wait for nobody, as at first."""
    async with running_cluster(folder, forked=False) as cluster:
        for member in cluster.members:
            await asyncio.to_thread(cluster.kill, member, signal.SIGTERM)
        cluster.api.write(sync=NO_SYNC)
        (folder / SERVICE_FILE).write_text(json.dumps(cluster.api.service), encoding="utf-8")


def copy(template: Path, folder: Path) -> None:
    """Copy what a cluster is made of, a third member too: it begins as the second one does."""
    for name, made in {"pg-0": "pg-0", "pg-1": "pg-1", "pg-2": "pg-1", SERVICE_FILE: SERVICE_FILE}.items():
        # zeros at the end of WAL become holes, which are copied fast
        subprocess.run(["cp", "--archive", "--sparse=always", str(template / made), str(folder / name)], check=True)
