"""What is said of an API server that gives no answer, whatever ended the request; asked by the client's own library."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import urllib3

from activities.clients.kubernetes.silence import why_silent

_ENDS = "it ended the connection"


def _closes(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.close()


def _resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _holds(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.recv(65536)
    connection.close()


@contextmanager
def _listening(attend: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen for one connection and do that to it; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: attend(server.accept()[0]), daemon=True).start()
        yield server.getsockname()[1]


def _told(address: str) -> str:
    with pytest.raises(urllib3.exceptions.HTTPError) as failed:
        urllib3.PoolManager(retries=False).request("GET", f"{address}/version", timeout=0.5)
    return why_silent(failed.value)


@pytest.mark.parametrize(
    ("attend", "scheme", "words"),
    [
        (_closes, "https", f"{_ENDS} during the TLS handshake"),
        (_closes, "http", f"{_ENDS} without an answer"),
        (_resets, "https", f"{_ENDS} without an answer"),
        (_resets, "http", f"{_ENDS} without an answer"),
        (_holds, "https", "it takes the connection and sends no answer in time"),
        (_holds, "http", "it takes the connection and sends no answer in time"),
    ],
)
def test_a_server_that_ends_or_holds_the_connection(
    attend: Callable[[socket.socket], None], scheme: str, words: str
) -> None:
    with _listening(attend) as port:
        assert _told(f"{scheme}://127.0.0.1:{port}") == words


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert _told(f"https://127.0.0.1:{port}") == "it refuses the connection"


def test_a_server_without_an_address() -> None:
    assert _told("https://api-server.invalid").startswith("its name cannot be resolved (")


def test_a_certificate_of_somebody_else() -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "self-signed certificate"
    assert why_silent(urllib3.exceptions.SSLError(error)) == "its certificate is not accepted (self-signed certificate)"


def test_what_nothing_is_known_of_is_told_in_its_own_words() -> None:
    assert why_silent(urllib3.exceptions.DecodeError("no gzip")) == "DecodeError: no gzip"
    assert why_silent(OSError(101, "Network is unreachable")) == "Network is unreachable"
