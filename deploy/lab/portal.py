"""The one door between host and lab: listens on the host's loopback, dials from inside the hub.

A socket belongs to the network namespace that it was made in. So this process first opens its listeners on the host,
then enters the hub's namespace for good: whatever it dials from then on is dialled there, and no packet for a lab address
ever exists on the host.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import socket
import sys

_CLONE_NEWNET = 0x40000000


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(ConnectionError, OSError, RuntimeError):
        writer.write_eof()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    """Dial, and carry bytes both ways until both ends have closed."""
    try:
        far_reader, far_writer = await asyncio.wait_for(asyncio.open_connection(host, port), 5)
    except (OSError, TimeoutError):
        writer.close()
        return
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def enter(namespace: str) -> None:
    """Make and dial sockets in a network namespace from now on."""
    descriptor = os.open(namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    os.close(descriptor)


async def _serve(doors: list[tuple[socket.socket, str, int]]) -> None:
    for listener, host, port in doors:
        await asyncio.start_server(lambda r, w, h=host, p=port: carry(r, w, h, p), sock=listener)  # type: ignore[misc]
    await asyncio.Event().wait()


def main() -> None:
    """``portal NAMESPACE LOCALPORT:HOST:PORT …``."""
    doors = []
    for door in sys.argv[2:]:
        local, host, port = door.split(":")
        doors.append((_listen(int(local)), host, int(port)))
    enter(sys.argv[1])
    asyncio.run(_serve(doors))


if __name__ == "__main__":
    main()
