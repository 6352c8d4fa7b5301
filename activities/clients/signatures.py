"""Whether a person's key has signed a text, as ``ssh-keygen -Y sign`` does it.

Each key is tried by itself, under a principal of our own: names of people never become patterns. A library judges the
signature, and whatever it makes of garbage is a no.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime

from activities.run.signed_words import LONGEST, NAMESPACE, Judged
from estate.signers import SigningKey

_PRINCIPAL = "signer"
_MAGIC, _SIZE = b"SSHSIG", 4
_FRAME = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----")

_VOTE_KEYS = "this person's under signers in the estate"
_VOTE_TEXT = "another run, plan, role, decision, word or note, "


def sign(text: bytes, private_key: str, namespace: str) -> bytes:
    """Return the signature of ``text`` as ``ssh-keygen -Y sign`` writes it.

    Raises:
        ValueError: ``private_key`` is none that can be used; says why, and never what it is.

    """
    from asyncssh import KeyEncryptionError, KeyImportError, import_private_key, sshsig  # noqa: PLC0415 - as below

    try:
        key = import_private_key(private_key.strip() + "\n")
    except (KeyImportError, KeyEncryptionError) as error:
        raise ValueError(f"it is no OpenSSH private key without a passphrase: {error}") from None
    return bytes(sshsig.create_sshsig(key, text, namespace=namespace))


def judge(text: bytes, signature: str, keys: tuple[SigningKey, ...], now: datetime, namespace: str = NAMESPACE) -> Judged:
    """Return whether one of ``keys`` has signed ``text``, and counts ``now``. Never raises, whatever is given."""
    of_vote = namespace == NAMESPACE
    made = _taken_apart(signature)
    if made is None:
        return Judged("", "it is no SSH signature: sign with failover approve, or with ssh-keygen -Y sign")
    blob, made_for = made
    if made_for != namespace:
        return Judged("", f"it was made for {made_for[:40]!r}, not for {namespace}")
    key = next((one for one in keys if base64.b64decode(one.key.split()[1]) == blob), None)
    if key is None:
        return Judged("", f"key {_fingerprint(blob)} is not among {_VOTE_KEYS if of_vote else 'those that count'}")
    if not _is_by(key, text, signature, namespace):
        return Judged("", f"it is of another text: {_VOTE_TEXT if of_vote else ''}or it was changed")
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


def _is_by(key: SigningKey, text: bytes, signature: str, namespace: str) -> bool:
    from asyncssh import sshsig  # noqa: PLC0415 - a quarter of a second, and no run without signatures needs it

    line = f'{_PRINCIPAL} namespaces="{namespace}" {key.key}'
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
        rest = raw[len(_MAGIC) + _SIZE :]
        blob, rest = _field(rest)
        namespace, _ = _field(rest)
        return (blob, namespace.decode()) if raw[: len(_MAGIC)] == _MAGIC else None
    except (binascii.Error, ValueError):
        return None


def _field(data: bytes) -> tuple[bytes, bytes]:
    """Return the first field, which its length precedes, and what follows it. ValueError: it is cut off."""
    size = int.from_bytes(data[:_SIZE])
    if len(data) < _SIZE + size:
        message = "cut off"
        raise ValueError(message)
    return data[4 : _SIZE + size], data[_SIZE + size :]


def _fingerprint(blob: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
