"""A region's door to the database: listens inside its cluster's network, and asks DNS anew for each connection.

    python door.py NAMESPACE LISTEN:PORT NAMESERVER:PORT NAME:PORT

The listener belongs to the cluster's network namespace; what it dials is dialled on the host, where the servers listen on
loopback addresses. So a pod reaches whatever server the virtual endpoint's name leads to at that moment, as it would in
Azure. A connection that exists stays where it is until a server ends it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import dns.asyncquery
import dns.message
import dns.rdatatype

from deploy.lab.portal import carry, enter

_ASK_WITHIN_SECONDS = 2.0
_HOST = "/proc/self/ns/net"


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _listener(namespace: str, host: str, port: int) -> socket.socket:
    """Make it inside the namespace, and come back."""
    here = os.open(_HOST, os.O_RDONLY)
    enter(namespace)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    enter(f"/proc/self/fd/{here}")
    os.close(here)
    return listener


async def _address(server: tuple[str, int], name: str) -> str:
    question = dns.message.make_query(f"{name}.", dns.rdatatype.A)
    answer = await dns.asyncquery.udp(question, server[0], timeout=_ASK_WITHIN_SECONDS, port=server[1])
    return str(answer.answer[-1][0])


async def _serve(listener: socket.socket, server: tuple[str, int], name: str, port: int) -> None:
    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            address = await _address(server, name)
        except Exception:  # noqa: BLE001 - whatever DNS says or does not say: the caller hears that nobody is there
            writer.close()
            return
        await carry(reader, writer, address, port)

    await asyncio.start_server(lead, sock=listener)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    namespace, inside, nameserver, goal = sys.argv[1:]
    listener = _listener(namespace, *_place(inside))
    asyncio.run(_serve(listener, _place(nameserver), *_place(goal)))


if __name__ == "__main__":
    main()
