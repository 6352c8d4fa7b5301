"""A name server for what Azure answers names of, over UDP on a loopback address.

``SERVER.postgres.database.azure.com`` is an address; ``ENDPOINT.writer…`` and ``ENDPOINT.reader…`` are aliases of the
server that has the part now, and a switchover moves them. Clients see the move when their copy of the alias has expired: the
time to live is a parameter here, for Azure does not document its own.

``PROFILE.trafficmanager.net`` is an alias that is decided anew for every query, and lives as long as its profile says. The
seconds are real ones, whatever the emulator's pace: clients count them. Names that nobody added do not exist here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from deploy.lab.azure.flexible_state import DOMAIN

_MOST_ALIASES = 4


class NameServer:
    """Answers A for servers and CNAME with A for endpoints; ``ttl`` in seconds."""

    def __init__(self, ttl: int = 30) -> None:
        self.ttl = ttl
        self.port = 0
        self._addresses: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._decided: dict[str, tuple[Callable[[], str | None], int]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def add(self, server: str, address: str) -> None:
        """Let a server's name lead to an address."""
        self._addresses[_full(server)] = address

    def add_host(self, name: str, address: str) -> None:
        """Let a full name lead to an address."""
        self._addresses[name.lower()] = address

    def decide(self, name: str, target: Callable[[], str | None], ttl: int) -> None:
        """Let a full name be an alias of what ``target`` returns at each query; without a target it does not exist."""
        self._decided[name.lower()] = (target, ttl)

    def point(self, endpoint: str, writer: str, reader: str) -> None:
        """Let an endpoint's two names lead to these servers from now on."""
        self._aliases[_full(f"{endpoint}.writer")] = _full(writer)
        self._aliases[_full(f"{endpoint}.reader")] = _full(reader)

    def remove(self, endpoint: str) -> None:
        """Let its names lead nowhere."""
        for kind in ("writer", "reader"):
            self._aliases.pop(_full(f"{endpoint}.{kind}"), None)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one, ``port`` says which."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Listener(self), local_addr=(host, port))
        self.port = self._transport.get_extra_info("sockname")[1]

    async def asked(self, name: str, host: str) -> str:
        """Return the address that it answers to a query at ``host``, as a client sees it; empty if there is no such name."""
        answer = await dns.asyncquery.udp(dns.message.make_query(name, "A"), host, timeout=5, port=self.port)
        addresses = [record.to_text() for records in answer.answer for record in records if records.rdtype.name == "A"]
        return addresses[-1] if addresses else ""

    async def stop(self) -> None:
        """Stop listening."""
        if self._transport:
            self._transport.close()

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Return the answer to a query of one question."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        if self._alias(name) is None and name not in self._addresses:
            response.set_rcode(dns.rcode.NXDOMAIN)
            return response
        for _ in range(_MOST_ALIASES):
            alias = self._alias(name)
            if alias is None:
                break
            target, ttl = alias
            response.answer.append(dns.rrset.from_text(f"{name}.", ttl, "IN", "CNAME", f"{target}."))
            name = target
        if question.rdtype == dns.rdatatype.A and name in self._addresses:
            response.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", "A", self._addresses[name]))
        return response

    def _alias(self, name: str) -> tuple[str, int] | None:
        """Return where an alias leads now, and for how long."""
        if name in self._aliases:
            return self._aliases[name], self.ttl
        target, ttl = self._decided.get(name, (None, 0))
        found = target() if target else None
        return (found.lower(), ttl) if found else None


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, names: NameServer) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own class is none until Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        if self._transport and len(query.question) == 1 and not query.flags & dns.flags.QR:
            self._transport.sendto(self._names.answer(query).to_wire(), addr)


def _full(name: str) -> str:
    return f"{name}.{DOMAIN}".lower()
