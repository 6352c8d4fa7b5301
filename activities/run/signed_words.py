"""What people sign: one text, in which everything stands that a vote or another word says, and what it says that of.

A vote: run, plan's digest, person, role, decision, note and until when it counts. Another word: run, what it is (``attest``,
``skip``), of which member, node or step, person, note and until when. So a signature is of no use for another run, plan,
role, person or word. It is made as by ``ssh-keygen -Y sign -n failover@v1``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NamedTuple

from activities.run.models.wire import Wire

NAMESPACE = "failover@v1"
LONGEST = 8_000
"""Characters of a signature; one by an RSA key of 16,384 bits has fewer."""


class _Signed(Wire):
    """What all that is signed has in common."""

    workflow: str
    run: str
    """ID of the first run: a reset keeps it."""
    by: str
    expires: datetime
    """With its zone."""

    @property
    def text(self) -> bytes:
        """Return what is signed: JSON on one line, keys sorted, times in UTC."""
        said = {**self.model_dump(), "expires": self.expires.astimezone(UTC).isoformat()}
        return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


class SignedVote(_Signed):
    """What a person says by a vote that is signed."""

    plan: str
    role: str
    approve: bool
    attest: bool = False
    note: str = ""


class SignedWord(_Signed):
    """What a person says by another word that is signed. Its keys are never those of a vote."""

    what: str
    """The command that says it: ``attest``, ``override-budget``, ``hold``, ``release``, ``skip``, ``force``,
    ``cancel``, ``drill judge``."""
    of: str = ""
    """Member, node or step, PASS or FAIL; empty where it is of the run."""
    note: str = ""
    anyway: bool = False


class Judged(NamedTuple):
    """What a signature is worth."""

    fingerprint: str
    """Of the key, as ``ssh-keygen -l`` shows it; empty: it does not count."""
    why: str = ""
    """Why it does not count."""
