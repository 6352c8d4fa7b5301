"""Lets the server serve a renewed certificate, and tells when the one that it serves ends (``gate.postgres.tls``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from gate.postgres import tls
from gate.settings import Settings

_EVERY_SECONDS = 5.0


class Certificate:
    """Of one server."""

    def __init__(self, settings: Settings, reload: Callable[[], None], say: Callable[[str], None]) -> None:
        """``reload`` lets a server that runs read its files again; ``say`` takes what people should read."""
        self._settings, self._reload, self._say = settings, reload, say
        self._complaint = ""
        self.ends_at: datetime | None = None
        """Of the certificate that is served; ``None`` without TLS, or before it was read."""

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            self.look()
            await asyncio.sleep(_EVERY_SECONDS)

    def look(self) -> None:
        """Compare what is mounted with what is served, once."""
        if tls.sources(self._settings) is None:
            return
        try:
            changed, ends_at = tls.copy_pair(self._settings)
        except tls.UNUSABLE as error:
            self._complain(f"the mounted certificate is not used: {error}")
            return
        if changed:
            self._reload()
            self._say(f"serves another certificate, which ends at {ends_at:%Y-%m-%d %H:%M} UTC")
        self._complaint, self.ends_at = "", ends_at

    def _complain(self, words: str) -> None:
        if words != self._complaint:
            self._say(words)
        self._complaint = words
