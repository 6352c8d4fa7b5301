"""How many cores flexible servers of a subscription have in a location, by family, and how many they may have."""

from __future__ import annotations

import re
from typing import Any

from deploy.lab.azure.flexible_state import NAMESPACE, Server, State
from deploy.lab.azure.routing import Answer, Call, Route

_SIZE = re.compile(r"Standard_(?P<series>[A-Z]+?)(?P<cores>\d+)(?P<features>[a-z]*)(_(?P<version>v\d+))?")
_OTHERS = ("standardBSFamily", "standardDDSv4Family")
_LIMIT = 100


def family_and_cores(size: str) -> tuple[str, int]:
    """Return the family of a size as quotas name it, and its cores: ``Standard_D4ds_v5``: ``standardDDSv5Family``, 4."""
    found = _SIZE.fullmatch(size)
    if found is None:
        return "", 0
    return f"standard{found['series']}{found['features'].upper()}{found['version'] or ''}Family", int(found["cores"])


class Quotas:
    """What is answered at ``locations/{location}/resourceType/flexibleServers/usages``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.limits: dict[tuple[str, str], int] = {}
        """Location without spaces in lower case, family → limit; 100 for others."""
        self.route = Route(
            "GET",
            "locations/{location}/resourceType/flexibleServers/usages",
            f"{NAMESPACE}/locations/resourceType/usages/read",
            self._usages,
            in_group=False,
        )

    async def _usages(self, call: Call) -> Answer:
        location = call.names["location"].lower()
        here = [one for one in self._state.servers.values() if one.location.replace(" ", "").lower() == location]
        families = {*_OTHERS, *(family_and_cores(one.sku["name"])[0] for one in here)} - {""}
        return Answer(body={"value": [self._usage(location, family, here) for family in sorted(families)]})

    def _usage(self, location: str, family: str, servers: list[Server]) -> dict[str, Any]:
        used = 0
        for one in servers:
            own, cores = family_and_cores(one.sku["name"])
            used += (cores if one.ha_mode == "Disabled" else 2 * cores) if own == family else 0
        return {
            "name": {"value": family, "localizedValue": family},
            "limit": self.limits.get((location, family), _LIMIT),
            "unit": "Count",
            "currentValue": used,
            "id": "",
        }
