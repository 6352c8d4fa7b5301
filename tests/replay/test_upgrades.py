"""A run that was begun with the code of an earlier commit is taken over by workers with today's, and goes on to its end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from temporalio.client import Client

from tests.detection.bench import GONE, WITNESSES, WatchBench
from tests.fakes.world import B, World
from tests.postgres.bench import Bench, end_all
from tests.postgres.gone import Gone, take_away

BEFORE = "23585a25f8571c8510424d9a366a158b7eb26007"
"""The last commit before modules were moved into one folder a subject: nothing is where it was."""
_ROOT = Path(__file__).parents[2]
_SCRIPT = Path(__file__).parent / "begin_with_old_code.py"
_LONGEST = 60


def unpack(commit: str, folder: Path) -> None:
    """Put the tree of ``commit`` into ``folder``."""
    archive = subprocess.run(["git", "archive", "--format=tar", commit], cwd=_ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.fail(
            f"the code of commit {commit}, with which open runs were begun, is not in this clone. With a shallow clone:"
            f" git fetch --unshallow. git said: {archive.stderr.decode().strip()}",
            pytrace=False,
        )
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive.stdout, check=True)


@pytest.fixture(scope="module")
def old_tree() -> Iterator[Path]:
    with TemporaryDirectory(prefix="failover-old-code-") as folder:
        unpack(BEFORE, Path(folder))
        yield Path(folder)


async def _begun(client: Client, tree: Path, folder: Path, what: str) -> dict[str, Any]:
    """Begin ``what`` with the code in ``tree``; return what it says once its worker is killed."""
    address = client.service_client.config.target_host
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", _SCRIPT, address, folder, what,
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_LONGEST):
            assert process.stdout is not None
            line = await process.stdout.readline()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert line, "the old code has ended without a word; see above"
    said: dict[str, Any] = json.loads(line)
    return said


@asynccontextmanager
async def _taken_over(client: Client, folder: Path, said: dict[str, Any]) -> AsyncIterator[Bench]:
    """Serve what was begun with today's code, from the same estate file."""
    bench = Bench(client, World(), folder / "estate.yaml", said["cluster"], said["queue"])
    async with bench.world.living():
        bench.start_worker()
        try:
            yield bench
        finally:
            await end_all(bench.started)
            await bench.stop_worker()


async def test_a_failover_that_waits_for_people(temporal: Client, old_tree: Path, tmp_path: Path) -> None:
    said = await _begun(temporal, old_tree, tmp_path, "failover")
    async with _taken_over(temporal, tmp_path, said) as bench:
        handle = temporal.get_workflow_handle(bench.lock)
        bench.started.append(handle)
        status = await bench.status(handle)
        assert (status.phase, status.outcome) == ("awaiting approval", None)
        await handle.execute_update("decide", {"by": "dana", "plan": said["plan"], "approve": True})
        result = await bench.finished(handle)
        assert (result.outcome, result.leader) == ("completed", B)
        await bench.until_consistent()


async def test_a_watch_that_sees_nothing_wrong(temporal: Client, old_tree: Path, tmp_path: Path) -> None:
    said = await _begun(temporal, old_tree, tmp_path, "watch")
    async with _taken_over(temporal, tmp_path, said) as bench:
        watch = WatchBench(bench)
        bench.started.append(temporal.get_workflow_handle(watch.watch_id))
        for witness in WITNESSES:
            watch.serve(witness)
        try:
            take_away(bench.world, Gone.DEAD)
            watch.let(GONE)
            assert (await bench.finished(await watch.run())).leader == B
        finally:
            await watch.close()


def test_a_clone_without_that_commit_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"commit 0{40}.* git fetch --unshallow"):
        unpack("0" * 40, tmp_path)
