"""What people sign, and whether a signature is theirs.

A signature is that of ``ssh-keygen -Y sign -n failover@v1``. It covers one text: the run, the plan's digest, who votes in
which role, the decision, the note and until when it counts. So it is of no use for another run, plan, role or person.

The keys come from this worker's estate. Each is tried by itself, under a principal of our own: names of people never become
patterns. A library judges the signature, and whatever it makes of garbage is a no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import AwareDatetime

from activities.run.models.wire import Wire
from estate.signers import SigningKey

NAMESPACE = "failover@v1"
LONGEST = 8_000
"""Characters of a signature; one by an RSA key of 16,384 bits has fewer."""
_PRINCIPAL = "signer"
_MAGIC = b"SSHSIG"
_FRAME = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----")


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
    expires: AwareDatetime

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


def judge(text: bytes, signature: str, keys: tuple[SigningKey, ...], now: datetime) -> Judged:
    """Return whether one of ``keys`` has signed ``text``, and counts ``now``. Never raises, whatever is given."""
    made = _taken_apart(signature)
    if made is None:
        return Judged("", "it is no SSH signature: sign with failover approve, or with ssh-keygen -Y sign")
    blob, namespace = made
    if namespace != NAMESPACE:
        return Judged("", f"it was made for {namespace[:40]!r}, not for {NAMESPACE}")
    key = next((one for one in keys if base64.b64decode(one.key.split()[1]) == blob), None)
    if key is None:
        return Judged("", f"key {_fingerprint(blob)} is not among this person's under signers in the estate")
    if not _is_by(key, text, signature):
        return Judged("", "it is of another text: another run, plan, role, decision or note, or it was changed")
    if why := _why_not_now(key, now):
        return Judged("", f"key {_fingerprint(blob)} {why}")
    return Judged(_fingerprint(blob))


def _why_not_now(key: SigningKey, now: datetime) -> str:
    if key.revoked:
        return f"is revoked: {key.revoked}"
    if key.valid_after and now < key.valid_after:
        return f"counts from {key.valid_after:%Y-%m-%d %H:%M} on"
    if key.valid_before and now >= key.valid_before:
        return f"has counted until {key.valid_before:%Y-%m-%d %H:%M}"
    return ""


def _is_by(key: SigningKey, text: bytes, signature: str) -> bool:
    from asyncssh import sshsig  # noqa: PLC0415 - a quarter of a second, and no run without signatures needs it

    line = f'{_PRINCIPAL} namespaces="{NAMESPACE}" {key.key}'
    try:
        allowed = sshsig.import_allowed_signers(line)
        return bool(sshsig.validate_sshsig(text, signature.encode(), _PRINCIPAL, allowed))
    except Exception:  # noqa: BLE001 - whatever a library makes of garbage is a no
        return False


def _taken_apart(signature: str) -> tuple[bytes, str] | None:
    """Return public key and namespace of a signature; ``None``: it is none."""
    lines = signature.strip().splitlines()
    if len(signature) > LONGEST or len(lines) < len(_FRAME) + 1 or (lines[0].strip(), lines[-1].strip()) != _FRAME:
        return None
    try:
        raw = base64.b64decode("".join(line.strip() for line in lines[1:-1]), validate=True)
        rest = raw.removeprefix(_MAGIC)[4:]
        blob, rest = _field(rest)
        namespace, _ = _field(rest)
        return (blob, namespace.decode()) if raw.startswith(_MAGIC) else None
    except (binascii.Error, ValueError):
        return None


def _field(data: bytes) -> tuple[bytes, bytes]:
    """Return the first field, which its length precedes, and what follows it. ValueError: it is cut off."""
    size = int.from_bytes(data[:4])
    if len(data) < 4 + size:
        message = "cut off"
        raise ValueError(message)
    return data[4 : 4 + size], data[4 + size :]


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
