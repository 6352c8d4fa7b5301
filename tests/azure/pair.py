"""Two flexible servers in two regions, real PostgreSQL behind them, for tests of the emulator and of the product.

::

    async with azure_pair(folder) as azure:
        azure.emulator.url, TOKEN, SUBSCRIPTION         # base_url, bearer and subscription for the SDK
        azure.emulator.log, azure.emulator.faults       # what was asked; what is to go wrong
        azure.flexible.server(REPLICA).state = "…"      # what Azure shows of a server
        azure.conninfo(PRIMARY)                         # how the application connects to one server
        azure.names.port                                # the name server, at 127.0.17.20 over UDP
        azure.servers.kill(PRIMARY)                     # its region is lost
        await azure.servers.heal(PRIMARY)               # and is back

``folder`` must be one where the postgres user can look: ``new_folder()`` makes one. Who leads to begin with:
``deploy.lab.azure.pair``. A test asks for the fixture ``_real_servers``, which installs PostgreSQL and marks it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy.lab.azure.names import NameServer
from deploy.lab.azure.pair import (
    APPLICATION,
    ENDPOINT,
    PRIMARY,
    PRIMARY_GROUP,
    READER,
    REPLICA,
    REPLICA_GROUP,
    ROLE_FILE,
    SUBSCRIPTION,
    TOKEN,
    WRITER,
    AzurePair,
    flexible_pair,
    running_pair,
)
from deploy.lab.azure.roles import Role
from tests.leftovers.marks import folder_prefix
from tests.ports import free_port

__all__ = [
    "APPLICATION",
    "EMULATOR_HOST",
    "ENDPOINT",
    "HOSTS",
    "NAMES_HOST",
    "PRIMARY",
    "PRIMARY_GROUP",
    "QUOTA_ROLE",
    "READER",
    "REPLICA",
    "REPLICA_GROUP",
    "ROLE_FILE",
    "SUBSCRIPTION",
    "TOKEN",
    "WRITER",
    "AzurePair",
    "azure_pair",
    "flexible_pair",
    "new_folder",
    "resolve",
]
QUOTA_ROLE = ROLE_FILE.with_name("quota.json")
NETWORK = "127.0.17"
EMULATOR_HOST, NAMES_HOST = f"{NETWORK}.10", f"{NETWORK}.20"
HOSTS = {PRIMARY: f"{NETWORK}.21", REPLICA: f"{NETWORK}.22"}


async def resolve(names: NameServer, name: str) -> str:
    return await names.asked(name, NAMES_HOST)


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder where the postgres user can look; it goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix=folder_prefix("azure")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def azure_pair(
    folder: Path, *, roles: Sequence[Role] | None = None, pace: float = 0.003, ttl: int = 30
) -> AsyncIterator[AzurePair]:
    """Start the pair on a free port; end all of it. At the pace of 0.003 a planned switchover takes at least 1.1 s."""
    async with running_pair(folder, NETWORK, free_port(*HOSTS.values()), roles=roles, pace=pace, ttl=ttl) as azure:
        yield azure
