"""Whether a vote, or another word, was signed by the person whom it names: by the keys that this worker's estate lists."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from activities.run.declare import step
from activities.run.inventory import Inventory
from activities.run.models.wire import Wire
from activities.run.postures import READ
from activities.run.signed_words import Judged, SignedVote, SignedWord
from estate.base import fold
from estate.signers import SigningKey


class SignatureRequest(Wire):
    """Judge a signature."""

    said: SignedVote | SignedWord
    signature: str


class SignatureSeen(Wire):
    """What it is worth."""

    key: str
    """Fingerprint of the key; empty: it does not count."""
    why: str = ""


Judge = Callable[[bytes, str, tuple[SigningKey, ...], datetime], Judged]
"""From text, signature, keys and time to what the signature is worth; never raises."""


class PeopleActivities:
    """What votes and other words are checked by."""

    def __init__(self, inventory: Inventory, judge: Judge) -> None:
        """Take the keys from ``inventory``, and have signatures judged by ``judge``."""
        self._inventory, self._judge = inventory, judge

    @step("people.verify", READ, lambda request: f"who has signed what {request.said.by} says")
    async def verify(self, request: SignatureRequest) -> SignatureSeen:
        """Return whose key has signed. Changes nothing. ApplicationError: ``BadEstate``."""
        signers, said, now = self._inventory.estate().signers, request.said, datetime.now(UTC)
        keys = next((keys for name, keys in signers.items() if fold(name) == fold(said.by)), ())
        if not keys:
            return SignatureSeen(key="", why=f"the estate lists no key of {said.by} under signers")
        if now >= said.expires:
            return SignatureSeen(key="", why=f"it has counted until {said.expires:%Y-%m-%d %H:%M:%S} UTC: sign again")
        judged = self._judge(said.text, request.signature, keys, now)
        return SignatureSeen(key=judged.fingerprint, why=judged.why)
