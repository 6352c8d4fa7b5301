"""Why an API server gave no answer, in words: the libraries' own are chains of class names and addresses in memory."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator

import urllib3

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLEOFError, "it ended the connection during the TLS handshake"),
    (ssl.SSLZeroReturnError, "it ended the connection during the TLS handshake"),
    (ConnectionRefusedError, "it refuses the connection"),
    (urllib3.exceptions.ConnectTimeoutError, "it takes no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, "it takes the connection and sends no answer in time"),
    (http.client.RemoteDisconnected, "it ended the connection without an answer"),
    (ConnectionResetError, "it ended the connection without an answer"),
    (BrokenPipeError, "it ended the connection without an answer"),
)
_DEEPEST = 12


def why_silent(error: BaseException) -> str:
    """Return one clause; its subject is the API server. The library's own words where nothing is known of the error."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted ({one.verify_message})"
        if isinstance(one, socket.gaierror):
            return f"its name cannot be resolved ({one.strerror})"
    for kind, words in _WORDS:
        if any(type(one) is kind for one in chain):  # urllib3 derives "no route" from "not in time"
            return words
    last = chain[-1]
    return (last.strerror if isinstance(last, OSError) else None) or f"{type(last).__name__}: {last}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it was made of, the innermost last: libraries keep that in several places."""
    seen: list[BaseException] = []
    todo = [error]
    while todo and len(seen) < _DEEPEST:
        one = todo.pop(0)
        if one in seen:
            continue
        seen.append(one)
        yield one
        inner = (getattr(one, "reason", None), one.__cause__, one.__context__, *one.args)
        todo += [part for part in inner if isinstance(part, BaseException)]
