"""One test with everything that tests start, which waits until it is killed. Run by ``test_killed`` alone."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from temporalio.client import Client

from deploy.lab.haproxy import Haproxy
from deploy.lab.haproxy_layout import Layout
from deploy.lab.packages import ensure_packages
from tests.clients.postgres_pair import running_pair, template
from tests.gate.harness import running_cluster
from tests.gate.template import new_folder
from tests.redis.cluster import running

SAYS = "HANGING_SAYS"


async def test_with_all_of_them(temporal: Client, tmp_path: Path) -> None:
    """A frozen server of a gate, a frozen one without a gate, Redis, a Temporal server, HAProxy."""
    ensure_packages(print)
    made, folder = (Path(tempfile.mkdtemp(prefix="clients-")) for _ in range(2))
    with new_folder() as gates, running(tmp_path):
        async with running_cluster(gates, forked=False) as cluster, running_pair(await template(made), folder) as pair:
            cluster.freeze("pg-0", gate=False)
            pair.freeze()
            await Haproxy("a test", Layout({})).start()
            await temporal.count_workflows()
            _say()
            await asyncio.sleep(600)


def _say() -> None:
    Path(os.environ[SAYS]).write_text("hangs", encoding="utf-8")


def test_that_leaves_one_behind() -> None:
    """And that passes."""
    os.spawnlp(os.P_NOWAIT, "setsid", "setsid", "sleep", "600")
