"""Sends a text to wherever people are told, by the library apprise, which is installed only where it is wanted.

Each text is sent by a thread of its own: one that hangs holds up nothing else in the worker. While the last text to a target
still hangs, no other one is begun. What the library says of a failure may hold parts of the address, which is a
secret: they are taken out.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from activities.clients.notice_ports import Unsent
from activities.clients.secrets import read_secret

MISSING = "apprise is not installed for the worker: pip install 'failover[notify]'"
_WITHIN_SECONDS = 8.0
_SHORTEST_SECRET = 4
_NO_LOG = logging.NullHandler()


def is_installed() -> bool:
    """Whether texts can be sent at all."""
    return importlib.util.find_spec("apprise") is not None


class AppriseSender:
    """Sends through apprise."""

    def __init__(self, within_seconds: float = _WITHIN_SECONDS) -> None:
        """Wait ``within_seconds`` for one text to be taken."""
        self._within = within_seconds
        self._busy: dict[str, asyncio.Future[str]] = {}

    async def send(self, target: str, address: str, title: str, body: str) -> None:
        """Send a text. Unsent: apprise is missing, the address is none, or the target has not taken it in time.

        Raises:
            ApplicationError: ``SecretMissing``.

        """
        if not is_installed():
            raise Unsent(MISSING)
        secret = await asyncio.to_thread(read_secret, address)
        places = await asyncio.to_thread(_places, secret)  # the first time it loads all that apprise can, for a second
        try:
            async with asyncio.timeout(self._within):
                while target in self._busy:
                    await asyncio.wait({self._busy[target]})
                why = await asyncio.shield(self._begun(target, lambda: _why_not_taken(places, secret, title, body)))
        except TimeoutError:
            raise Unsent(f"no answer within {self._within:g} s") from None
        if why:
            raise Unsent(why)

    def _begun(self, target: str, send: Callable[[], str]) -> asyncio.Future[str]:
        """Begin to send; return what will say why it was not taken. Another text waits until then."""
        loop = asyncio.get_running_loop()
        done = self._busy[target] = loop.create_future()

        def ended(why: str) -> None:
            self._busy.pop(target, None)
            done.set_result(why)

        def work() -> None:
            why = send()
            _tell(loop, lambda: ended(why))

        threading.Thread(target=work, name=f"notices-{target}", daemon=True).start()
        return done


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    """Let the loop do something; one that has ended is past caring."""
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        return


def _places(secret: str) -> Any:  # noqa: ANN401 - apprise's own type, of a library that may be missing
    """Return the addresses of a target, ready to be sent to. Unsent: one of them is none."""
    log = logging.getLogger("apprise")
    log.propagate = False  # it tells the address that it cannot read, with all that is secret in it
    log.addHandler(_NO_LOG)
    places = importlib.import_module("apprise").Apprise()
    lines = [line.strip() for line in secret.splitlines() if line.strip()]
    if not all(places.add(line) for line in lines):
        raise Unsent("its url is no address that apprise knows")
    return places


def _why_not_taken(places: Any, secret: str, title: str, body: str) -> str:  # noqa: ANN401
    """Send, and return why it was not taken; empty: it was. Never raises."""
    try:
        result = places.notify(body=body, title=title, body_format="text")
        if result:
            return ""
        said = [entry.message for place in result for attempt in place for entry in attempt]
        return _without(secret, "; ".join(dict.fromkeys(said)) or "apprise says that it was not taken")
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the worker goes on
        return _without(secret, f"{type(error).__name__}: {error}")


def _without(secret: str, text: str) -> str:
    """Return ``text`` without parts of an address."""
    _, _, rest = secret.partition("://")
    parts = [rest, *re.split(r"[/:@?&=,\s]+", rest)]
    for part in sorted({one for one in parts if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True):
        text = text.replace(part, "…")
    return text
