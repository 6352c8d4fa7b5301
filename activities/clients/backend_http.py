"""Asks a backend of a gateway as the gateway's probe does: one GET of the declared path. Its answer is judged by its status.

A certificate is not looked at: the address is an IP address mostly, and a probe must not find a backend ill for its name.
"""

from __future__ import annotations

import aiohttp

from activities.clients.foreign import first_line, is_refused
from activities.traffic.gateway_models import Direct, GatewayFact
from estate.gateways import GatewayTarget, ProbeProtocol


class BackendHttp:
    """Backends of any number of gateways."""

    async def ask(self, target: GatewayTarget, gateway: GatewayFact, address: str) -> tuple[Direct, str]:
        """Return how ``address`` answers, and in which words. Never raises for what it meets."""
        probe, within = target.gateway.probe, target.gateway.thresholds.answer_within.total_seconds()
        scheme = "https" if probe.protocol is ProbeProtocol.HTTPS else "http"
        host = f"[{address}]" if ":" in address else address
        url = f"{scheme}://{host}:{gateway.port}{probe.path}"
        headers = {"Host": probe.host} if probe.host else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within), headers=headers) as http,
                http.get(url, allow_redirects=False, ssl=False) as answer,
            ):
                return Direct.GOOD if probe.takes(answer.status) else Direct.BAD, str(answer.status)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if is_refused(error):
                return Direct.BAD, "nobody listens"
            return Direct.SILENT, first_line(error) or f"no answer within {within:g} s"
