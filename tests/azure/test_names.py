"""What the name server answers, asked over UDP as clients ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
import pytest_asyncio

from deploy.lab.azure.flexible_state import DOMAIN
from deploy.lab.azure.names import NameServer
from tests.azure.pair import HOSTS, NAMES_HOST, PRIMARY, READER, REPLICA, WRITER


@pytest_asyncio.fixture(loop_scope="session")
async def names() -> AsyncIterator[NameServer]:
    server = NameServer(ttl=7)
    for name, host in HOSTS.items():
        server.add(name, host)
    server.point("aiagent", PRIMARY, REPLICA)
    await server.start(NAMES_HOST)
    try:
        yield server
    finally:
        await server.stop()


async def _ask(names: NameServer, name: str, kind: str = "A") -> tuple[str, list[str]]:
    answer = await dns.asyncquery.udp(dns.message.make_query(name, kind), NAMES_HOST, timeout=5, port=names.port)
    return dns.rcode.to_text(answer.rcode()), [str(one) for one in answer.answer]


async def test_a_server_is_an_address(names: NameServer) -> None:
    server = f"{PRIMARY}.{DOMAIN}"
    assert await _ask(names, server) == ("NOERROR", [f"{server}. 7 IN A {HOSTS[PRIMARY]}"])


async def test_an_endpoint_is_an_alias_that_moves(names: NameServer) -> None:
    def alias(name: str, server: str) -> tuple[str, list[str]]:
        full = f"{server}.{DOMAIN}."
        return "NOERROR", [f"{name}. 7 IN CNAME {full}", f"{full} 7 IN A {HOSTS[server]}"]

    assert await _ask(names, WRITER) == alias(WRITER, PRIMARY)
    assert (await _ask(names, WRITER.upper()))[0] == "NOERROR"
    assert await _ask(names, READER) == alias(READER, REPLICA)
    names.point("AIAgent", REPLICA, PRIMARY)
    assert await _ask(names, WRITER) == alias(WRITER, REPLICA)


@pytest.mark.parametrize("name", [f"other.{DOMAIN}", "aiagent-postgres.example.com", DOMAIN])
async def test_no_other_name_exists(names: NameServer, name: str) -> None:
    assert await _ask(names, name) == ("NXDOMAIN", [])


async def test_an_endpoint_that_is_removed_does_not_exist(names: NameServer) -> None:
    names.remove("aiagent")
    assert await _ask(names, WRITER) == ("NXDOMAIN", [])


async def test_there_is_no_address_of_another_kind(names: NameServer) -> None:
    assert await _ask(names, f"{PRIMARY}.{DOMAIN}", "AAAA") == ("NOERROR", [])
