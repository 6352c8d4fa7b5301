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

``folder`` must be one where the postgres user can look: ``new_folder()`` makes one. Both servers listen on the same port, as
names carry none: ``PRIMARY`` at 127.0.17.21, ``REPLICA`` at 127.0.17.22. To begin with ``PRIMARY`` leads in
``PRIMARY_GROUP`` (East US), ``REPLICA`` follows in ``REPLICA_GROUP`` (West US 2), and the virtual endpoint ``ENDPOINT`` has
both as members. A test asks for the fixture ``_real_servers``, which installs PostgreSQL and marks it.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.asyncquery
import dns.message

from deploy.lab.azure.databases import Databases, Names
from deploy.lab.azure.flexible import FlexibleServers
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.azure.flexible_state import DOMAIN, Server
from deploy.lab.azure.names import NameServer
from deploy.lab.azure.postgres_process import Address
from deploy.lab.azure.postgres_servers import Application, PostgresServers
from deploy.lab.azure.roles import Role
from deploy.lab.azure.server import Emulator
from tests.leftovers.marks import folder_prefix
from tests.ports import free_port

SUBSCRIPTION = "5f0c7a1e-2b7d-4a53-9a34-6f1de2c0b117"
TOKEN = "emulator-token"
PRIMARY_GROUP, REPLICA_GROUP = "aiagent-prod-rg", "aiagent-dr-rg"
PRIMARY, REPLICA = "aiagent-postgres", "aiagent-postgres-dr"
ENDPOINT = "aiagent"
WRITER, READER = f"{ENDPOINT}.writer.{DOMAIN}", f"{ENDPOINT}.reader.{DOMAIN}"
APPLICATION = Application("app", "application-password", "aiagent")
EMULATOR_HOST, NAMES_HOST = "127.0.17.10", "127.0.17.20"
HOSTS = {PRIMARY: "127.0.17.21", REPLICA: "127.0.17.22"}
ROLE_FILE = Path(__file__).resolve().parents[2] / "deploy" / "azure" / "roles" / "postgres.json"


def flexible_pair(databases: Databases, names: Names) -> FlexibleServers:
    """Return the provider with both servers, the virtual endpoint and last night's backup."""
    flexible = FlexibleServers(SUBSCRIPTION, databases, names)
    night = datetime.now(UTC) - timedelta(hours=9)
    primary = Server(PRIMARY, PRIMARY_GROUP, "East US", ha_mode="ZoneRedundant", restorable_since=night)
    primary.backups.append(automatic(night))
    flexible.add(primary, Server(REPLICA, REPLICA_GROUP, "West US 2", role="AsyncReplica", source=PRIMARY, zone="2"))
    flexible.add_endpoint(ENDPOINT, PRIMARY, REPLICA)
    return flexible


@dataclass(frozen=True)
class AzurePair:
    """Everything that runs."""

    emulator: Emulator
    flexible: FlexibleServers
    servers: PostgresServers
    names: NameServer

    def conninfo(self, server: str) -> str:
        """Return how the application connects to one server: host, port, user, password, dbname."""
        return self.servers.conninfo(server)

    async def resolve(self, name: str) -> str:
        """Return the address that the name server gives now; empty if there is no such name."""
        return await resolve(self.names, name)


async def resolve(names: NameServer, name: str) -> str:
    answer = await dns.asyncquery.udp(dns.message.make_query(name, "A"), NAMES_HOST, timeout=5, port=names.port)
    addresses = [record.to_text() for records in answer.answer for record in records if records.rdtype.name == "A"]
    return addresses[-1] if addresses else ""


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
    """Start PostgreSQL, the name server and the emulator; end all of it. ``roles=None`` allows everything.

    At the pace of 0.003 a planned switchover takes at least 1.1 s.
    """
    port = free_port(*HOSTS.values())
    addresses = {server: Address(host, port) for server, host in HOSTS.items()}
    servers, names = PostgresServers(folder, addresses, APPLICATION, "superuser-password"), NameServer(ttl)
    for server, host in HOSTS.items():
        names.add(server, host)
    emulator, flexible = Emulator(SUBSCRIPTION, TOKEN, roles, pace), flexible_pair(servers, names)
    emulator.serve(flexible)
    try:
        await servers.start_all()
        await names.start(NAMES_HOST, free_udp_port(NAMES_HOST))
        await emulator.start(EMULATOR_HOST, free_port(EMULATOR_HOST))
        yield AzurePair(emulator, flexible, servers, names)
    finally:
        await emulator.stop()
        await names.stop()
        await servers.stop_all()


def free_udp_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
