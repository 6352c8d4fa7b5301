"""What can be broken of two regions, and healed again; each may be asked for twice.

What is broken is seen by looking, not remembered: so a heal that was interrupted is simply asked for again, and a part that
somebody has killed by hand is healed like one that was broken by command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from deploy.lab.names import LabUsageError

_REGION, _API_SERVER, _EDGE = "region", "api-server", "edge"
FAULTS = {
    _REGION: "two regions: end gateway, control plane, node and database of the region NAME (default: the first) at once",
    _API_SERVER: "two regions: kill the API server of the region NAME (default: the first one); its pods go on serving",
    _EDGE: "two regions: end the public edge; customers reach nobody",
}


class Scene(Protocol):
    """Two regions that run. What starts or ends something may be repeated."""

    @property
    def regions(self) -> Sequence[str]:
        """Their names, the first region first."""

    def is_lost(self, region: str) -> bool:
        """Whether its node has no power."""

    def has_api_server(self, region: str) -> bool:
        """Whether its API server runs."""

    async def has_edge(self) -> bool:
        """Whether the public edge takes connections."""

    async def lose(self, region: str) -> None:
        """Lose a region."""

    async def restore(self, region: str) -> None:
        """Start what does not run of a region, as it was."""

    async def end_api_server(self, region: str) -> None:
        """Kill the API server of a region."""

    async def end_edge(self) -> None:
        """End the public edge."""

    async def start_edge(self) -> None:
        """Start the public edge, where it was."""

    async def leading(self) -> str:
        """Return the region whose database leads."""

    async def restore_rest(self) -> None:
        """Start what does not run of Temporal and workers."""


async def break_it(scene: Scene, what: str, target: str) -> str:
    """Break ``what`` unless it is broken; return a sentence that says what was done.

    Raises:
        LabUsageError: unknown fault, or unknown region.
    """
    region = _region(scene, what, target) or scene.regions[0]
    if what == _EDGE:
        if not await scene.has_edge():
            return "the public edge does not run already; nothing was done"
        await scene.end_edge()
        return "ended the public edge"
    if scene.is_lost(region):
        return f"{region} is lost already; nothing was done"
    if what == _REGION:
        await scene.lose(region)
        return f"lost {region}: gateway, control plane, node, database"
    if not scene.has_api_server(region):
        return f"the API server of {region} does not run already; nothing was done"
    await scene.end_api_server(region)
    return f"killed the API server of {region}"


async def heal(scene: Scene, what: str, target: str, say: Callable[[str], None]) -> str:
    """Heal ``what``, or everything if it is empty; return a sentence that says what is back.

    Without a target each region that needs it is healed: first the one whose database leads, since the other follows it.

    Raises:
        LabUsageError: unknown fault, or unknown region.
    """
    if not what:
        return await _heal_all(scene, say)
    region = _region(scene, what, target)
    if what == _EDGE:
        if await scene.has_edge():
            return "the public edge runs; nothing was done"
        await scene.start_edge()
        return "the public edge is back"
    broken = [one for one in await _leading_first(scene) if _is_broken(scene, what, one) and region in {"", one}]
    for one in broken:
        await scene.restore(one)
    if not broken:
        sound = "runs" if what == _REGION else "has its API server, or is lost"
        return f"{region or 'each region'} {sound}; nothing was done"
    return f"{' and '.join(broken)} {'is' if len(broken) == 1 else 'are'} back as before"


async def _heal_all(scene: Scene, say: Callable[[str], None]) -> str:
    await scene.restore_rest()
    for region in await _leading_first(scene):
        say(f"  {region}: what does not run is started")
        await scene.restore(region)
    if not await scene.has_edge():
        await scene.start_edge()
    return "everything runs"


def _is_broken(scene: Scene, what: str, region: str) -> bool:
    lost = scene.is_lost(region)
    return lost if what == _REGION else not lost and not scene.has_api_server(region)


async def _leading_first(scene: Scene) -> list[str]:
    leading = await scene.leading()
    return sorted(scene.regions, key=lambda one: one != leading)


def _region(scene: Scene, what: str, target: str) -> str:
    """Return the region that is meant; empty if none is named."""
    if what not in FAULTS:
        raise LabUsageError(f"what: {what!r} is not one of {', '.join(FAULTS)}")
    if what == _EDGE and target:
        raise LabUsageError(f"target: {target!r} is too much; there is one edge")
    if target and target not in scene.regions:
        raise LabUsageError(f"target: {target!r} is no region; there is {', '.join(scene.regions)}")
    return target
