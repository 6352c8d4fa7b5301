"""What people sign: one text, in which everything stands that a vote says, and what it says that of.

Run, plan's digest, person, role, decision, note and until when it counts: a signature is of no use for another run, plan,
role or person. It is made as by ``ssh-keygen -Y sign -n failover@v1``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NamedTuple

from activities.run.models.wire import Wire

NAMESPACE = "failover@v1"
LONGEST = 8_000
"""Characters of a signature; one by an RSA key of 16,384 bits has fewer."""


class SignedVote(Wire):
    """What a person says by a vote that is signed."""

    workflow: str
    run: str
    """ID of the first run: a reset keeps it."""
    plan: str
    by: str
    role: str
    approve: bool
    attest: bool = False
    note: str = ""
    expires: datetime
    """With its zone."""

    @property
    def text(self) -> bytes:
        """Return what is signed: JSON on one line, keys sorted, times in UTC."""
        said = {**self.model_dump(), "expires": self.expires.astimezone(UTC).isoformat()}
        return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


class Judged(NamedTuple):
    """What a signature is worth."""

    fingerprint: str
    """Of the key, as ``ssh-keygen -l`` shows it; empty: it does not count."""
    why: str = ""
    """Why it does not count."""
