"""A question for the health of one pool, with a probe that comes with the question and is carried out at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import Field

from deploy.lab.azure.application_gateway_health import Properties, Rule, addresses, find, matched, server
from deploy.lab.azure.bodies import AnyCase, Sent
from deploy.lab.azure.errors import ArmError
from deploy.lab.azure.probing import Probe, ask

_LEAST_SECONDS = 0.5


class ProbeProtocol(AnyCase):
    """Over what the servers are asked."""

    HTTP = "Http"
    HTTPS = "Https"
    TCP = "Tcp"
    TLS = "Tls"


class Reference(Sent):
    """A member of the gateway."""

    id: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


class Match(Sent):
    """What is a good answer."""

    body: str | None = None
    status_codes: tuple[str, ...] | None = None


class OnDemand(Sent):
    """The body of the question."""

    protocol: ProbeProtocol | None = None
    host: str | None = None
    path: str | None = None
    timeout: int = Field(default=30, ge=1, le=86400)
    pick_host_name_from_backend_http_settings: bool | None = None
    enable_probe_proxy_protocol_header: bool | None = None
    match: Match | None = None
    backend_address_pool: Reference
    backend_http_settings: Reference


def asked_now(
    asked: OnDemand, properties: Properties, id_of: str, probe: Probe, pace: float
) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return what asks the servers and answers. 400 if there is no such pool, or no such settings."""
    for collection, one in _parts(asked):
        if find(properties, collection, one.name) is None:
            text = f"Resource {one.id} referenced by resource {id_of} was not found."
            raise ArmError(400, "InvalidResourceReference", text)
    rule = Rule(asked.path or "/", match=matched(asked.match.given() if asked.match else None))

    async def work() -> dict[str, Any]:
        servers = []
        for address in addresses(properties, asked.backend_address_pool.name):
            status = await ask(probe, address, rule.path, max(asked.timeout * pace, _LEAST_SECONDS))
            servers.append(server(address, "Up" if status in rule.good else "Down", status, rule))
        pool, settings = (f"{id_of}/{collection}/{one.name}" for collection, one in _parts(asked))
        return {
            "backendAddressPool": {"id": pool},
            "backendHealthHttpSettings": {"backendHttpSettings": {"id": settings}, "servers": servers},
        }

    return work


def _parts(asked: OnDemand) -> tuple[tuple[str, Reference], tuple[str, Reference]]:
    return (
        ("backendAddressPools", asked.backend_address_pool),
        ("backendHttpSettingsCollection", asked.backend_http_settings),
    )
