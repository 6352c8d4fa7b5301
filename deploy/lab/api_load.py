"""Load on the sample API through its Service."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from deploy.lab.load_data import LoadSettings, Seen

_CALL_EVERY = 0.05


async def calls(settings: LoadSettings, seen: Seen) -> None:
    """Make a workflow every 50 ms, for ever; every answer but 201 is an error with its time."""
    headers = {"Authorization": f"Bearer {settings.token}"}
    url = f"http://{settings.api_address}/api/v1/workflows"
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=15)) as http:
        while True:
            try:
                async with http.post(url, json={"name": settings.run}, headers=headers) as answer:
                    text = await answer.text()
                    if answer.status == 201:  # noqa: PLR2004 - HTTP: created
                        seen.api_ok += 1
                    else:
                        seen.api_errors.append((time.time(), f"{answer.status} {text[:160]}"))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                seen.api_errors.append((time.time(), f"{type(error).__name__} {error}"))
            await asyncio.sleep(_CALL_EVERY)
