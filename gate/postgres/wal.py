"""What the names of the files in ``pg_wal`` say: how far back WAL goes, and on which timelines."""

from __future__ import annotations

from pathlib import Path

from gate.postgres.lsn import format_lsn

_NAME_LENGTH = 24


def oldest_wal(data: Path, segment_bytes: int) -> str | None:
    """Return the LSN at which the oldest WAL segment in ``data`` begins, ``None`` when there is none."""
    names = (name[8:] for name in _segments(data))
    positions = [(int(name[:8], 16) << 32) + int(name[8:], 16) * segment_bytes for name in names]
    return format_lsn(min(positions)) if positions else None


def newest_wal_timeline(data: Path) -> int | None:
    """Return the newest timeline of which ``data`` has WAL: a standby without its upstream does not say it otherwise."""
    return max((int(name[:8], 16) for name in _segments(data)), default=None)


def _segments(data: Path) -> list[str]:
    names = (path.name for path in (data / "pg_wal").glob("?" * _NAME_LENGTH))
    return [name for name in names if all(letter in "0123456789ABCDEF" for letter in name)]
