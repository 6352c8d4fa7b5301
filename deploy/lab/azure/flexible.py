"""Azure Database for PostgreSQL, flexible servers, in front of databases that really are promoted.

Durations, bodies, headers and names of operations are those that azure-cli recorded (2026-03 and 2026-06). What Azure does
not document is decided here for the emulator alone; nothing that uses it may rely on these:

* the code for promoting a server that is no replica (``InvalidOperationForServerRole``), for a switchover without a virtual
  endpoint (``VirtualEndpointRequired``), for a planned promotion without its source (``ServerIsNotReady``), for a restart
  with failover without high availability (``HighAvailabilityNotEnabled``), for an endpoint read at the wrong server
  (``BadRequest``; only the status 400 is known), and whether each comes at once or inside the operation;
* when the state turns Updating and when roles turn: here at the 202, and at the promotion itself, before the operation ends;
* when in those six minutes the server is promoted and the name moves: here at once, the rest of the time nothing happens;
* what a server in a dead region shows: here what it showed before (Ready, and Primary even after a forced switchover, until
  it is back), unless a test sets ``Server.state``;
* how a busy server is told at once (409?): here only inside the operation, as users report it;
* the role after standalone: the enumeration says None, azure-rest-api-specs #22499 saw Primary; here None;
* how long stops, starts, restarts, endpoints and standalone promotions take, and what these operations and backups on demand
  are called; how long a status URL lives; the actions that maintenance events need;
* how soon a busy server is told (5 s here), the code of work that fails (``InternalServerError``), whether a promotion needs
  a right at the source, too, and whether a standby of zone redundancy shows in ``pg_stat_replication`` (not here).

* the code of a start of what is not stopped, and what a stop does to a server in a dead region: here the operation fails;
* whether a quota counts the standby of high availability (it does here), and that of which families there are none left
  out: here those of the servers and two others, at the limits of ``Quotas``;
* what a replica that is stopped does when its pair is switched over, and whether one that is started follows at once.

Servers are not created or deleted here: their number is given by ``add``.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.lab.azure.bodies import read
from deploy.lab.azure.databases import Databases, Names
from deploy.lab.azure.flexible_endpoints import VirtualEndpoints
from deploy.lab.azure.flexible_history import History
from deploy.lab.azure.flexible_models import Restart, ServerPatch
from deploy.lab.azure.flexible_promote import promote
from deploy.lab.azure.flexible_quotas import Quotas
from deploy.lab.azure.flexible_state import KIND, NAMESPACE, START, STOP, Endpoint, Server, State, refused
from deploy.lab.azure.links import FLEXIBLE, Style
from deploy.lab.azure.operations import OperationFailedError, Operations
from deploy.lab.azure.routing import Answer, Call, Route

VERSIONS = ("2023-12-01-preview", "2025-08-01", "2026-01-01-preview", "2026-04-01-preview", "2026-10-01")
_UPDATE_SECONDS, _RESTART_SECONDS, _STOP_SECONDS, _START_SECONDS = 60, 90, 60, 90


class FlexibleServers:
    """The provider. ``add`` servers and virtual endpoints, then ``Emulator.serve`` it."""

    namespace = NAMESPACE
    versions: Sequence[str] = VERSIONS
    styles: Sequence[Style] = (FLEXIBLE,)

    def __init__(self, subscription: str, databases: Databases, names: Names) -> None:
        self.state = State(subscription, databases, names)
        self._endpoints, self._history = VirtualEndpoints(self.state), History(self.state)
        self.quotas = Quotas(self.state)
        self.routes: Sequence[Route] = self._table()

    def add(self, *servers: Server) -> None:
        """Let servers exist."""
        self.state.servers.update({one.name.lower(): one for one in servers})

    def add_endpoint(self, name: str, primary: str, replica: str = "") -> None:
        """Let a virtual endpoint exist and its names lead to these servers."""
        endpoint = Endpoint(name, self.server(primary).group, primary, replica)
        self.state.endpoints[name.lower()] = endpoint
        self.state.publish(endpoint)

    def server(self, name: str) -> Server:
        """Return a server, to look at it or to change what it shows."""
        return self.state.servers[name.lower()]

    def has_group(self, group: str) -> bool:
        """Whether a server is in the group."""
        return any(one.group.lower() == group.lower() for one in self.state.servers.values())

    async def start(self, operations: Operations) -> None:
        """Begin nothing: all that happens here is asked for."""

    async def stop(self) -> None:
        """End nothing."""

    def _table(self) -> tuple[Route, ...]:
        one, endpoints, history = "flexibleServers/{server}", self._endpoints, self._history
        endpoint, backup = f"{one}/virtualendpoints", f"{one}/backups"
        rows = (
            ("GET", one, "read", self._get),
            ("PATCH", one, "write", self._patch),
            ("POST", f"{one}/restart", "restart/action", self._restart),
            ("POST", f"{one}/stop", "stop/action", self._stop),
            ("POST", f"{one}/start", "start/action", self._start),
            ("GET", f"{one}/replicas", "replicas/read", self._replicas),
            ("GET", endpoint, "virtualendpoints/read", endpoints.get_all),
            ("GET", f"{endpoint}/{{endpoint}}", "virtualendpoints/read", endpoints.get),
            ("PUT", f"{endpoint}/{{endpoint}}", "virtualendpoints/write", endpoints.put),
            ("PATCH", f"{endpoint}/{{endpoint}}", "virtualendpoints/write", endpoints.patch),
            ("DELETE", f"{endpoint}/{{endpoint}}", "virtualendpoints/delete", endpoints.delete),
            ("GET", backup, "backups/read", history.backups),
            ("GET", f"{backup}/{{backup}}", "backups/read", history.backup),
            ("PUT", f"{backup}/{{backup}}", "backups/write", history.make),
            ("DELETE", f"{backup}/{{backup}}", "backups/delete", history.drop),
            ("GET", f"{one}/maintenanceEvents", "maintenanceEvents/read", history.events),
            ("GET", f"{one}/maintenanceEvents/{{event}}", "maintenanceEvents/read", history.event),
        )
        below = (Route(method, pattern, f"{KIND}/{action}", handler) for method, pattern, action, handler in rows)
        return (*below, self.quotas.route)

    async def _get(self, call: Call) -> Answer:
        await self.state.settle()
        return Answer(body=self.state.body(self.state.server(call)))

    async def _replicas(self, call: Call) -> Answer:
        await self.state.settle()
        return Answer(body={"value": [self.state.body(one) for one in self.state.replicas(self.state.server(call))]})

    async def _patch(self, call: Call) -> Answer:
        await self.state.settle()
        server, asked = self.state.server(call), read(ServerPatch, call.body)
        if asked.properties.replica is not None:
            return promote(self.state, call, server, asked.properties)

        async def work() -> None:
            _update(server, asked)

        return self.state.change(call, "UpdateServerManagementOperation", _UPDATE_SECONDS, [server], work)

    async def _restart(self, call: Call) -> Answer:
        server, asked = self.state.server(call), read(Restart, call.body)
        if asked.restart_with_failover and server.ha_mode == "Disabled":
            raise refused("HighAvailabilityNotEnabled", f"Server '{server.name}' has no standby to fail over to.")

        async def work() -> None:
            _must_be_started(server)
            server.failing_over = asked.restart_with_failover
            await self.state.databases.restart(server.name)

        return self.state.change(call, "RestartServerManagementOperation", _RESTART_SECONDS, [server], work)

    async def _stop(self, call: Call) -> Answer:
        await self.state.settle()
        server, databases = self.state.server(call), self.state.databases

        async def work() -> None:
            _must_be_started(server)
            if not await databases.is_up(server.name):
                raise OperationFailedError("ServerIsNotReady", f"Server '{server.name}' is not available.")
            await databases.stop(server.name)
            server.state = "Stopped"

        return self.state.change(call, STOP, _STOP_SECONDS, [server], work)

    async def _start(self, call: Call) -> Answer:
        server = self.state.server(call)

        async def work() -> None:
            if server.state != "Stopped":
                text = "Start Server can only be performed on Stopped servers. Current Server State = "
                raise OperationFailedError("ServerIsNotStopped", text + server.state)
            await self.state.databases.start(server.name)
            server.state = "Ready"

        return self.state.change(call, START, _START_SECONDS, [server], work)


def _must_be_started(server: Server) -> None:
    if server.state != "Ready":
        text = "Restart or Stop Server can only be performed on Started servers. Current Server State = "
        raise OperationFailedError("ServerIsNotReady", text + server.state)


def _update(server: Server, asked: ServerPatch) -> None:
    """Take over what was sent and stays with the server."""
    given = asked.properties
    server.tags = asked.tags if asked.tags is not None else server.tags
    server.sku |= asked.sku.model_dump(exclude_none=True, by_alias=True) if asked.sku else {}
    server.storage |= given.storage.model_dump(exclude_none=True, by_alias=True) if given.storage else {}
    server.window |= (
        given.maintenance_window.model_dump(exclude_none=True, by_alias=True) if given.maintenance_window else {}
    )
    if given.backup and given.backup.backup_retention_days:
        server.retention_days = given.backup.backup_retention_days
    if given.high_availability and given.high_availability.mode:
        server.ha_mode = given.high_availability.mode.value
