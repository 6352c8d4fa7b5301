"""Azure Front Door, Standard and Premium: routes, origin groups and origins that lead to an emulated edge.

A change answers 202 and ends about a minute later; GET then shows Succeeded while ``deploymentStatus`` is NotStarted, now
and for good (recorded, and in every official example). When the change is at the edge only the edge knows:
``front_door_edge``. There is no etag: the last writer wins. What Azure does not document is decided here for the emulator
alone; nothing that uses it may rely on these:

* whether GET shows a change before its operation ends (here it does), and what an operation that fails leaves behind (here
  what was before);
* a second change of a resource while one runs (here both are carried out; a 409 Conflict was seen for classic Front Door,
  and can be ordered as a fault);
* whether an object in a PATCH replaces the old one or is merged into it (here it replaces it, as arrays do);
* the code of refusals other than the compression's (here BadRequest too), and whether they come at once or inside the
  operation (here at once);
* a null for a route's origin group or an ``enabledState`` (here a 400); what ``NotSet`` in a probe means (here: it probes);
* the defaults of what a group leaves out (here 4 samples, 3 good ones, 240 s; an origin: priority 1, weight 1000);
* how many changes on their way to the edge wait for each other (here one is on its way, and all others come together after
  it), and that the edge is many places, which learn at different times (here it is one);
* how the edge divides requests among origins by latency and session (here by priority, then weight), and by which of
  several routes (here the first that matches everything);
* that places without visitors probe less often than configured (documented, without figures; not here);
* how long a purge takes (here as long as the recorded change of a route), and whether it really is gone then.

Profiles, endpoints and the rest are not created or deleted here: ``profile`` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deploy.lab.azure.bodies import read
from deploy.lab.azure.front_door_edge import Edge, Plane
from deploy.lab.azure.front_door_layout import Profile
from deploy.lab.azure.front_door_models import GroupPatch, OriginPatch, Purge, RoutePatch
from deploy.lab.azure.front_door_state import NAMESPACE, Resource, State, refuse_origin, refuse_route
from deploy.lab.azure.links import FRONT_DOOR, Style
from deploy.lab.azure.operations import Operations, Plan
from deploy.lab.azure.routing import Answer, Call, Route

VERSIONS = ("2023-05-01", "2024-02-01", "2026-10-01")
_SECONDS = 62
PROPAGATION_SECONDS = 20 * 60
_PROFILE, _ENDPOINT = "profiles/{profile}", "profiles/{profile}/afdEndpoints/{endpoint}"
_GROUPS = f"{_PROFILE}/originGroups"


def _nothing(_: State, __: Resource, ___: Mapping[str, Any]) -> None:
    """Refuse nothing."""


class FrontDoor:
    """The provider. Lay out profiles, then ``Emulator.serve`` it. ``plane`` takes the requests."""

    namespace = NAMESPACE
    versions: Sequence[str] = VERSIONS
    styles: Sequence[Style] = (FRONT_DOOR,)

    def __init__(self, subscription: str, plane: Plane, propagation: float = PROPAGATION_SECONDS) -> None:
        self.state = State(subscription)
        self.edge = Edge(self.state, plane, propagation)
        self.purged: list[tuple[str, tuple[str, ...]]] = []
        """Endpoints and paths, as purges ended."""
        self.routes: Sequence[Route] = self._table()

    def profile(self, name: str, group: str) -> Profile:
        """Let a profile exist in a resource group; return what lays it out."""
        self.state.groups[name.lower()] = group
        return Profile(self.state, name, group)

    def has_group(self, group: str) -> bool:
        """Whether a profile is in the group."""
        return group.lower() in {one.lower() for one in self.state.groups.values()}

    async def start(self, operations: Operations) -> None:
        """Let the edge probe."""
        self.edge.start(operations)

    async def stop(self) -> None:
        """Let it rest."""
        await self.edge.stop()

    def _table(self) -> tuple[Route, ...]:
        route, origins = f"{_ENDPOINT}/routes", f"{_GROUPS}/{{group}}/origins"
        changed_route = self._patch(RoutePatch, refuse_route)
        changed_origin = self._patch(OriginPatch, refuse_origin)
        rows = (
            ("GET", _ENDPOINT, "afdendpoints/read", self._get),
            ("POST", f"{_ENDPOINT}/purge", "afdendpoints/Purge/action", self._purge),
            ("GET", route, "afdendpoints/routes/read", self._list),
            ("GET", f"{route}/{{route}}", "afdendpoints/routes/read", self._get),
            ("PATCH", f"{route}/{{route}}", "afdendpoints/routes/write", changed_route),
            ("GET", _GROUPS, "origingroups/read", self._list),
            ("GET", f"{_GROUPS}/{{group}}", "origingroups/read", self._get),
            ("PATCH", f"{_GROUPS}/{{group}}", "origingroups/write", self._patch(GroupPatch, _nothing)),
            ("GET", origins, "origingroups/origins/read", self._list),
            ("GET", f"{origins}/{{origin}}", "origingroups/origins/read", self._get),
            ("PATCH", f"{origins}/{{origin}}", "origingroups/origins/write", changed_origin),
        )
        return tuple(
            Route(method, path, f"{NAMESPACE}/profiles/{action}", handler) for method, path, action, handler in rows
        )

    async def _get(self, call: Call) -> Answer:
        return Answer(body=self.state.body(self.state.find(call)))

    async def _list(self, call: Call) -> Answer:
        return Answer(body={"value": [self.state.body(one) for one in self.state.below(call)]})

    def _patch(
        self,
        model: type[RoutePatch | OriginPatch | GroupPatch],
        refuse: Callable[[State, Resource, Mapping[str, Any]], None],
    ) -> Callable[[Call], Any]:
        async def patch(call: Call) -> Answer:
            resource, asked = self.state.find(call), read(model, call.body, "BadRequest")
            properties = {**resource.properties, **asked.properties.given()}
            refuse(self.state, resource, properties)
            return self._change(call, resource, properties)

        return patch

    def _change(self, call: Call, resource: Resource, properties: dict[str, Any]) -> Answer:
        body = self.state.body(resource, properties)
        if call.acts:
            resource.properties = properties
        resource.changes += 1

        def done() -> None:
            resource.changes -= 1
            self.edge.changed()

        return call.begin(Plan("Update", "global", _SECONDS, _work, done, FRONT_DOOR), body=body)

    async def _purge(self, call: Call) -> Answer:
        endpoint, asked = self.state.find(call, call.target.rest[:-1]), read(Purge, call.body, "BadRequest")

        async def work() -> None:
            self.purged.append((endpoint.path[-1], asked.content_paths))

        return call.begin(Plan("Purge", "global", _SECONDS, work, style=FRONT_DOOR))


async def _work() -> None:
    """Do nothing more: the control plane knows it already, and the edge learns it later."""
