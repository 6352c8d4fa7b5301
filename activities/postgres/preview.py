"""What a switch would change in Kubernetes, said by the API server itself."""

from __future__ import annotations

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.clients.systems import Systems
from activities.postgres.claim import current_record, routed_record
from activities.postgres.models.transfer import Switch
from activities.run.declare import step
from activities.run.postures import READ


class PreviewActivities:
    """Plan runs only."""

    def __init__(self, systems: Systems) -> None:
        """Use ``systems.kubernetes`` for the dry run."""
        self._systems = systems

    @step("kubernetes.preview", READ, lambda _: "dry run of the route")
    async def preview(self, switch: Switch) -> str:
        """Return the change of the write Service as a diff, from a server-side dry run. Changes nothing."""
        record = await current_record(self._systems, switch.target)
        wanted = routed_record(record, switch, switch.epoch)
        service = switch.target.cluster.write_service
        try:
            return await self._systems.leader_records.preview(switch.target.region, service, wanted)
        except (ForbiddenError, UnreachableError) as error:
            return f"no preview: {error}"
