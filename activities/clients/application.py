"""The application as its clients reach it: health, readiness, and a workflow that is submitted with the bearer token."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from activities.clients.region_ports import Application
from activities.clients.secrets import read_secret
from activities.region.failover_models import Answer
from estate.regions import ApplicationChecks

_ASK_SECONDS = 10.0
_MOST_WORDS = 200


class HttpApplication(Application):
    """Asks over HTTP, on new connections."""

    async def ask(self, checks: ApplicationChecks, run: str) -> tuple[Answer, ...]:
        """Return an answer per question; one that does not come is no fine one."""
        token = read_secret(checks.token) if checks.token else ""
        within = aiohttp.ClientTimeout(total=_ASK_SECONDS)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=within) as session:
            asked = [_asked(session, "GET", checks.url, path) for path in checks.paths]
            if checks.submit:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                headers["Idempotency-Key"] = run
                asked.append(_asked(session, "POST", checks.url, checks.submit, json=checks.body, headers=headers))
            return tuple(await asyncio.gather(*asked))


async def _asked(session: aiohttp.ClientSession, method: str, url: str, path: str, **more: Any) -> Answer:  # noqa: ANN401
    what = f"{method} {path}"
    try:
        async with session.request(method, f"{url.rstrip('/')}{path}", allow_redirects=False, **more) as answer:
            text = "" if _is_fine(answer.status) else f": {' '.join((await answer.text())[:_MOST_WORDS].split())}"
            return Answer(what=what, fine=_is_fine(answer.status), words=f"{answer.status}{text}")
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
        return Answer(what=what, fine=False, words=f"no answer: {str(error) or type(error).__name__}")


def _is_fine(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own numbers
