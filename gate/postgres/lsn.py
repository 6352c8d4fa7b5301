"""Log sequence numbers as PostgreSQL prints them (``16/B374D848``) and as bytes."""

from __future__ import annotations

_LOW_BITS = 32


def parse_lsn(text: str) -> int:
    """Return the byte position of ``text``.

    Raises:
        ValueError: ``text`` is not two hexadecimal numbers with a slash between them.

    """
    high, slash, low = text.partition("/")
    if not slash:
        message = f"{text!r} is not an LSN; expected two hexadecimal numbers such as 16/B374D848"
        raise ValueError(message)
    return (int(high, 16) << _LOW_BITS) + int(low, 16)


def format_lsn(position: int) -> str:
    """Return ``position`` (bytes) the way PostgreSQL prints it."""
    return f"{position >> _LOW_BITS:X}/{position & 0xFFFFFFFF:X}"
