"""Key and certificate of the server: mounted where they are renewed, copied since PostgreSQL wants to own them.

A pair that does not belong together is not copied: a Secret may be in the middle of a change, or wrong. The copies from
before go on being served.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gate.postgres.files import write_whole
from gate.settings import Settings

UNUSABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm)
"""``TypeError``: the key asks for a passphrase."""


def sources(settings: Settings) -> dict[str, Path] | None:
    """Return where key and certificate are mounted, by the names of their copies; ``None`` without TLS."""
    if settings.tls_key is None or settings.tls_certificate is None:
        return None
    return {"tls.key": settings.tls_key, "tls.crt": settings.tls_certificate}


def copied(settings: Settings) -> bool:
    """Whether both copies are there."""
    return all((settings.own / name).exists() for name in ("tls.key", "tls.crt"))


def copy_pair(settings: Settings, *, checked: bool = True) -> tuple[bool, datetime | None]:
    """Copy both; return whether they were others before, and when the certificate ends.

    Raises:
        OSError, ValueError, TypeError: ``checked``, and the pair cannot be used (``UNUSABLE``); nothing was copied.

    """
    found = {name: path.read_text(encoding="utf-8") for name, path in (sources(settings) or {}).items()}
    ends_at = _end_of_pair(found["tls.crt"].encode(), found["tls.key"].encode()) if checked else None
    changed = [write_whole(settings.own / name, text) for name, text in found.items()]
    return any(changed), ends_at


def _end_of_pair(certificate: bytes, key: bytes) -> datetime:
    served = x509.load_pem_x509_certificate(certificate)
    if served.public_key() != load_pem_private_key(key, None).public_key():
        message = "certificate and key do not belong together"
        raise ValueError(message)
    return served.not_valid_after_utc
