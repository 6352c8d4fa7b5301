"""Backups and maintenance events of flexible servers: what was, and what is to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.lab.azure.errors import no_resource
from deploy.lab.azure.flexible_state import KIND, BackupSet, Maintenance, Server, State, refused, stamp
from deploy.lab.azure.operations import OperationFailedError
from deploy.lab.azure.routing import Answer, Call

_BACKUP_SECONDS, _DROP_SECONDS = 81, 16
_UPCOMING = {"Planned", "InProgress", "Rescheduled"}


def automatic(completed: datetime) -> BackupSet:
    """Return an automatic backup; its name counts .NET ticks."""
    ticks = int((completed - datetime(1, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 10
    return BackupSet(f"backup_{ticks}", completed)


class History:
    """What is answered below ``…/backups`` and ``…/maintenanceEvents``."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def backups(self, call: Call) -> Answer:
        """GET the list of backups."""
        server = self._state.server(call)
        return Answer(body={"value": [self._backup(server, one) for one in server.backups]})

    async def backup(self, call: Call) -> Answer:
        """GET one backup."""
        server, found = self._found(call)
        if found is None:
            raise no_resource(f"{KIND}/backups", f"{server.name}/{call.names['backup']}", server.group)
        return Answer(body=self._backup(server, found))

    async def make(self, call: Call) -> Answer:
        """PUT: make one on demand; it has no body."""
        server, found = self._found(call)
        if found is not None or call.body is not None:
            raise refused("InvalidParameterValue", f"Backup '{call.names['backup']}' exists, or a body was sent.")

        async def work() -> dict[str, Any]:
            if not await self._state.databases.is_up(server.name):
                raise OperationFailedError("ServerIsNotReady", f"Server '{server.name}' is not available.")
            made = BackupSet(call.names["backup"], datetime.now(UTC), automatic=False)
            server.backups.append(made)
            return self._backup(server, made)

        return self._state.change(call, "CreateSnapshotManagementOperation", _BACKUP_SECONDS, [server], work)

    async def drop(self, call: Call) -> Answer:
        """DELETE one: 204 if there is none."""
        server, found = self._found(call)
        if found is None:
            return Answer(204)

        async def work() -> None:
            server.backups.remove(found)

        return self._state.change(call, "DropSnapshotManagementOperation", _DROP_SECONDS, [server], work)

    async def events(self, call: Call) -> Answer:
        """GET the list of maintenance events, or of those past or to come."""
        server = self._state.server(call)
        asked = call.query.get("maintenanceStatus", "").lower()
        if asked not in {"", "upcoming", "past"}:
            raise refused("InvalidParameterValue", f"maintenanceStatus '{asked}' is neither Upcoming nor Past.")
        shown = [one for one in server.maintenance if not asked or (one.status in _UPCOMING) == (asked == "upcoming")]
        return Answer(body={"value": [self._event(server, one) for one in shown]})

    async def event(self, call: Call) -> Answer:
        """GET one maintenance event."""
        server = self._state.server(call)
        found = next((one for one in server.maintenance if one.id.lower() == call.names["event"].lower()), None)
        if found is None:
            raise no_resource(f"{KIND}/maintenanceEvents", f"{server.name}/{call.names['event']}", server.group)
        return Answer(body=self._event(server, found))

    def _found(self, call: Call) -> tuple[Server, BackupSet | None]:
        server = self._state.server(call)
        name = call.names["backup"].lower()
        return server, next((one for one in server.backups if one.name.lower() == name), None)

    def _backup(self, server: Server, backup: BackupSet) -> dict[str, Any]:
        kinds = ("Full", "Automatic") if backup.automatic else ("Customer On-Demand", "Customer Initiated")
        completed = stamp(backup.completed)
        return {
            "properties": {"backupType": kinds[0], "source": kinds[1], "completedTime": completed},
            "id": f"{self._state.id_of(server)}/backups/{backup.name}",
            "name": backup.name,
            "type": f"{KIND}/backups",
        }

    def _event(self, server: Server, event: Maintenance) -> dict[str, Any]:
        start, end = event.start, event.start + timedelta(minutes=event.minutes)
        return {
            "properties": {
                "maintenanceEventId": event.id,
                "maintenanceType": "PlannedMaintenance",
                "status": event.status,
                "startTime": _utc(start),
                "endTime": _utc(end),
                "deferrable": event.deferrable,
                "originalStartTime": _utc(start),
                "lastUpdatedTime": _utc(start - timedelta(days=5)),
            },
            "id": f"{self._state.id_of(server)}/maintenanceEvents/{event.id}",
            "name": event.id,
            "type": f"{KIND}/maintenanceEvents",
        }


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
