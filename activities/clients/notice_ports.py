"""What telling people needs: somebody who sends a text."""

from __future__ import annotations

from typing import Protocol


class Unsent(Exception):  # noqa: N818 - a result that says why
    """A target has not taken a text; one sentence, without the target's address."""


class Sender(Protocol):
    """Sends texts to people."""

    async def send(self, target: str, address: str, title: str, body: str) -> None:
        """Send a text to the address behind a reference; ``target`` is its name.

        Raises:
            Unsent: it was not taken.
            ApplicationError: ``SecretMissing``.

        """
