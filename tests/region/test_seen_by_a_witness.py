"""A witness looks at a region by real clients: two API servers behind relays, an HTTP server as edge and region."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from activities.clients.edge import HttpEdge
from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.reach import ApiServersClient
from activities.clients.ports import UnreachableError
from activities.detection.models import Look
from activities.detection.probes.regions import RegionEye
from estate.base import Region
from estate.regions import WatchedRegion
from estate.watching import RegionWatching
from tests.region.clusters import CONTEXTS, Clusters
from tests.traffic.samples import AWAY, ENTRY, HOME
from tests.traffic.samples import TARGET as NAME


class _Site:
    """Edge and region in one server; a path that is gone aborts the connection."""

    def __init__(self) -> None:
        self.url = ""
        self.serves: str | None = HOME
        self.gone: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        if request.path in self.gone and request.transport is not None:
            request.transport.abort()
        if request.path != "/edge":
            return web.Response()
        return web.Response(headers={"x-region": self.serves}) if self.serves else web.Response(status=503)

    def target(self, space: str) -> WatchedRegion:
        regions = {name: {"health": f"{self.url}/{name}"} for name in (HOME, AWAY)}
        entry = type(NAME.entry).model_validate({**ENTRY, "regions": regions, "edge": {"url": f"{self.url}/edge"}})
        both = {name: Region(location=name, namespace=space, context=context) for name, context in CONTEXTS.items()}
        return WatchedRegion(
            name=HOME, region=both[HOME], watch=RegionWatching(), to=AWAY, survivor=both[AWAY],
            names=(NAME.model_copy(update={"entry": entry}),),
        )  # fmt: skip


@pytest_asyncio.fixture(name="site", loop_scope="session")
async def _site() -> AsyncIterator[_Site]:
    site, app = _Site(), web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


async def test_what_a_witness_sees_as_a_region_goes_down_piece_by_piece(clusters: Clusters, site: _Site) -> None:
    target, servers = site.target(clusters.space), ApiServersClient(KubernetesClient())
    eye = RegionEye(HttpEdge(), servers, target)

    async def subjects() -> list[str]:
        look: Look = await eye.look()
        assert look.blind == ""
        return [one.subject for one in look.findings]

    assert (await servers.version(target.region)).startswith("v1.")
    assert await subjects() == []

    site.serves = None
    assert await subjects() == [f"edge of {NAME.name}"]

    await clusters.relays[HOME].refuse()
    assert await subjects() == [f"edge of {NAME.name}", f"API server of {HOME}"]

    site.gone.add(f"/{HOME}")
    assert await subjects() == [f"edge of {NAME.name}", f"API server of {HOME}", HOME]

    await clusters.relays[HOME].hang()
    assert (await subjects())[-1] == HOME

    site.serves = AWAY
    assert await subjects() == [f"API server of {HOME}"]

    site.gone.add("/edge")
    await clusters.relays[AWAY].refuse()
    look = await eye.look()
    assert (look.findings, "it may be this witness that is cut off" in look.blind) == ((), True)
    with pytest.raises(UnreachableError, match="does not answer"):
        await servers.version(target.survivor)
