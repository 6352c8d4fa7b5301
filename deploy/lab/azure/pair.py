"""Two flexible servers in two regions, real PostgreSQL behind them, and the emulated Azure in front: for tests and the demo.

Both servers listen on the same port, as names carry none: the primary at ``NETWORK.21``, the replica at ``NETWORK.22``. To
begin with ``PRIMARY`` leads in ``PRIMARY_GROUP`` (East US), ``REPLICA`` follows in ``REPLICA_GROUP`` (West US 2), and the
virtual endpoint ``ENDPOINT`` has both as members.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.lab.azure.databases import Databases, Names
from deploy.lab.azure.flexible import FlexibleServers
from deploy.lab.azure.flexible_history import automatic
from deploy.lab.azure.flexible_state import DOMAIN, Server
from deploy.lab.azure.names import NameServer
from deploy.lab.azure.postgres_process import Address
from deploy.lab.azure.postgres_servers import Application, PostgresServers
from deploy.lab.azure.roles import Role
from deploy.lab.azure.routing import Provider
from deploy.lab.azure.server import Emulator

SUBSCRIPTION = "5f0c7a1e-2b7d-4a53-9a34-6f1de2c0b117"
TOKEN = "emulator-token"  # noqa: S105 - it opens nothing but the emulator
PRIMARY_GROUP, REPLICA_GROUP = "aiagent-prod-rg", "aiagent-dr-rg"
PRIMARY, REPLICA = "aiagent-postgres", "aiagent-postgres-dr"
ENDPOINT = "aiagent"
WRITER, READER = f"{ENDPOINT}.writer.{DOMAIN}", f"{ENDPOINT}.reader.{DOMAIN}"
APPLICATION = Application("app", "application-password", "aiagent")
OPERATOR_PASSWORD = "operator-password"  # noqa: S105 - of a server that lives as long as a test
_OPERATOR = (
    f"create role failover login password '{OPERATOR_PASSWORD}' in role pg_monitor".encode(),
    b"grant failover to current_user",
    b"create schema failover authorization failover",
)
ROLE_FILE = Path(__file__).resolve().parents[2] / "azure" / "roles" / "postgres.json"


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
    network: str

    @property
    def name_host(self) -> str:
        """Address of the name server."""
        return f"{self.network}.20"

    def conninfo(self, server: str) -> str:
        """Return how the application connects to one server: host, port, user, password, dbname."""
        return self.servers.conninfo(server)

    async def resolve(self, name: str) -> str:
        """Return the address that the name server gives now; empty if there is no such name."""
        return await self.names.asked(name, self.name_host)

    async def provide_operator(self) -> None:
        """Make the operator's role and schema by the statements of docs/install.md, as an administrator like Azure's."""
        for statement in (
            f"create role administrator login createrole password '{OPERATOR_PASSWORD}'",
            "grant pg_monitor to administrator with admin option",
            f"grant create on database {APPLICATION.database} to administrator",
        ):
            await self.servers.sql(PRIMARY, statement)
        conninfo = make_conninfo(self.conninfo(PRIMARY), user="administrator", password=OPERATOR_PASSWORD)
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            for made in _OPERATOR:
                await connection.execute(made)


@asynccontextmanager
async def running_pair(  # noqa: PLR0913 - what tests want to choose
    folder: Path,
    network: str,
    port: int,
    *,
    roles: Sequence[Role] | None = None,
    pace: float = 0.01,
    ttl: int = 30,
    others: Sequence[Provider] = (),
) -> AsyncIterator[AzurePair]:
    """Start PostgreSQL, the name server and the emulator; end all of it. ``roles=None`` allows everything.

    ``network``: the first three numbers of loopback addresses that nobody else uses. ``others``: more of Azure.
    """
    hosts = {PRIMARY: f"{network}.21", REPLICA: f"{network}.22"}
    addresses = {server: Address(host, port) for server, host in hosts.items()}
    servers, names = PostgresServers(folder, addresses, APPLICATION, "superuser-password"), NameServer(ttl)
    for server, host in hosts.items():
        names.add(server, host)
    emulator, flexible = Emulator(SUBSCRIPTION, TOKEN, roles, pace), flexible_pair(servers, names)
    for provider in (flexible, *others):
        emulator.serve(provider)
    try:
        await servers.start_all()
        await names.start(f"{network}.20")
        await emulator.start(f"{network}.10")
        yield AzurePair(emulator, flexible, servers, names, network)
    finally:
        await emulator.stop()
        await names.stop()
        await servers.stop_all()
