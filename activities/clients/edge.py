"""Asks the application which region answers: through its public name, and each region directly.

Each question is a new connection, since one that is kept open stays where it is. An answer out of a cache of the edge tells
where it came from once, so it counts for nothing (``X-Cache`` with HIT, which Front Door sends).
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp

from activities.traffic.models import Answer, HealthFact
from estate.traffic import TrafficTarget

_SECONDS = 5.0
_MOST_BYTES = 64 * 1024
_OK = 200
_ASKED = {"Cache-Control": "no-cache", "User-Agent": "failover"}


class HttpEdge:
    """The application by HTTP."""

    async def ask(self, target: TrafficTarget) -> Answer:
        """Return which region answers a new connection through the public name. Never raises."""
        edge = target.entry.edge
        try:
            status, headers, body = await _get(edge.url, read=not edge.header)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Answer(error=f"{edge.url}: {_words(error)}")
        if status != _OK:
            return Answer(status=status, error=f"{edge.url} answers {status}")
        if "HIT" in headers.get("X-Cache", "").upper():
            return Answer(status=status, error=f"{edge.url} answers out of a cache of the edge")
        told = headers.get(edge.header, "").strip() if edge.header else body
        names = {target.entry.told_by(region): region for region in target.entry.regions}
        found = [region for one, region in names.items() if (told == one if edge.header else one in told)]
        if len(found) == 1:
            return Answer(region=found[0], status=status)
        if found:
            return Answer(status=status, error=f"{edge.url} does not tell one region: its body names {' and '.join(found)}")
        where = f"header {edge.header} says {told[:100]!r}" if edge.header else "its body names no region of the estate"
        return Answer(status=status, error=f"{edge.url} does not tell a region: {where}")

    async def health(self, target: TrafficTarget, region: str) -> HealthFact:
        """Return what ``region`` answers that is asked directly. Never raises."""
        url = target.entry.regions[region].health
        try:
            status, _, __ = await _get(url, read=False)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return HealthFact(region=region, message=f"{url}: {_words(error)}")
        return HealthFact(region=region, healthy=status == _OK, status=status, message=f"{url} answers {status}")


async def _get(url: str, *, read: bool) -> tuple[int, Mapping[str, str], str]:
    limit = aiohttp.ClientTimeout(total=_SECONDS)
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=limit, headers=_ASKED) as http,
        http.get(url, allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers, await _body(answer) if read else ""


async def _body(answer: aiohttp.ClientResponse) -> str:
    """Return the body, at most its first 64 KB; a single read returns no more than what has arrived."""
    body = b""
    while len(body) < _MOST_BYTES and (part := await answer.content.read(_MOST_BYTES - len(body))):
        body += part
    return body.decode("utf-8", "replace")


def _words(error: BaseException) -> str:
    return f"no answer within {_SECONDS:g} s" if isinstance(error, TimeoutError) else f"{type(error).__name__} {error}"[:300]
