"""The SSH keys that people sign their words with, and for how long each counts.

A key counts for one person only. One that is lost is not taken out of the file but *revoked*: a signature by it is then
refused with that reason, and not as one of a stranger.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, model_validator

from estate.base import Entry

_KINDS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip
_LENGTH = 4


def _is_public_key(text: str) -> str:
    kind, blob = [*text.split(), "", ""][:2]
    if kind not in _KINDS:
        message = f"must be one line of an SSH public key file: {', '.join(_KINDS)}, then the key"
        raise ValueError(message)
    if _kind_inside(blob) != kind:
        message = "is cut off or damaged: copy the whole line of the .pub file"
        raise ValueError(message)
    return f"{kind} {blob}"


def _kind_inside(blob: str) -> str:
    """Return the kind that the key itself names; empty: it is none."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return ""
    size = int.from_bytes(raw[:_LENGTH])
    return raw[_LENGTH : _LENGTH + size].decode("ascii", "replace")


PublicKey = Annotated[str, AfterValidator(_is_public_key)]


class SigningKey(Entry):
    """One key of one person."""

    key: PublicKey
    """As in its ``.pub`` file; a comment is dropped."""
    valid_after: AwareDatetime | None = None
    valid_before: AwareDatetime | None = None
    revoked: str = ""
    """Why it does not count any more; empty: it does."""

    @model_validator(mode="after")
    def _counts_at_some_time(self) -> Self:
        if self.valid_after and self.valid_before and self.valid_after >= self.valid_before:
            message = "valid_after is not before valid_before: the key would never count"
            raise ValueError(message)
        return self
