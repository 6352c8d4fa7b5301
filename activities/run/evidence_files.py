"""Records of drills on disk: one folder each below ``evidence``, all of them one chain.

    <records>/evidence/<kind>-<target>/<begin>-<run>/

A record is written into a scratch folder and becomes one by a rename: there is all of it, or nothing. Who writes holds a
lock, so that two workers do not follow the same record. What a worker that has died has left in the scratch folder is
thrown away by the next one. The lock is the file system's (``flock``) and ends with the process that held it: a mount
without locks is refused by the system call.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from activities.run.evidence import MANIFEST, SIGNATURE, Manifest, Record, digest, sealed

FOLDER = "evidence"
_LOCK, _SCRATCH = ".lock", ".scratch"
_LOCKED_WITHIN_SECONDS, _AGAIN_SECONDS = 10.0, 0.05
_AHEAD = timedelta(hours=1)
"""The clocks of two workers differ by less. A record that claims a later time is not followed: its manifest was changed."""
_NEVER = datetime.min.replace(tzinfo=UTC)

Sign = Callable[[bytes], bytes]


class Contents(NamedTuple):
    """What is to become a record."""

    drill: str
    """Workflow ID and run ID."""
    files: Mapping[str, bytes]
    gaps: tuple[str, ...]


class Put(NamedTuple):
    """A record that lies there."""

    digest: str
    """SHA-256 of its manifest."""
    manifest: Manifest


def read_all(root: Path) -> tuple[Record, ...]:
    """Return the records below ``root`` in the order in which they were sealed. OSError: one cannot be read."""
    records = [Record(str(folder.relative_to(root)), _files(folder)) for folder in _folders(root)]
    return tuple(sorted(records, key=lambda one: (_sealed_at(one.files.get(MANIFEST, b"")), one.name)))


def manifest_of(record: Record) -> Manifest | None:
    """Return its manifest; ``None``: it has none that can be read."""
    return _parsed(record.files.get(MANIFEST, b""))


def put(root: Path, place: str, contents: Contents, sign: Sign | None, now: datetime) -> Put:
    """Add a record as ``place`` below ``root``, after the last one there. The same one again when repeated.

    Raises:
        OSError: it cannot be written, another worker holds the lock, or something else lies at ``place``.

    """
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        folder = root / place
        if (text := _read(folder / MANIFEST)) is not None:
            return _again(folder, text, contents.drill)
        before, at, ignored = _last(root, now)
        gaps = (*contents.gaps, *ignored)
        manifest = sealed(contents.drill, contents.files, at, before, gaps)
        files = {**contents.files, MANIFEST: manifest.text}
        _write(root, folder, files if sign is None else {**files, SIGNATURE: sign(manifest.text)})
        return Put(digest(manifest.text), manifest)


def _again(folder: Path, text: bytes, drill: str) -> Put:
    manifest = _parsed(text)
    if manifest is None or manifest.drill != drill:
        raise FileExistsError(0, f"the record of another drill lies there ({manifest.drill if manifest else 'unreadable'})")
    _keep(folder.parent)
    return Put(digest(text), manifest)


def _last(root: Path, now: datetime) -> tuple[str, datetime, tuple[str, ...]]:
    """Return the digest of the last record, when the next one is sealed, and what was not looked at."""
    last, before, ignored = _NEVER, "", []
    for folder in _folders(root):
        text = _read(folder / MANIFEST) or b""
        manifest = _parsed(text)
        if manifest is None or manifest.sealed_at > now + _AHEAD:
            ignored.append(f"the record {folder.relative_to(root)} was not followed: its {MANIFEST} is damaged")
        elif manifest.sealed_at > last:
            last, before = manifest.sealed_at, digest(text)
    return before, max(now, last + timedelta(microseconds=1)), tuple(ignored)


def _write(root: Path, folder: Path, files: Mapping[str, bytes]) -> None:
    scratch = root / _SCRATCH
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir()
    for name, data in files.items():
        with (scratch / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    _keep(scratch)
    folder.parent.mkdir(exist_ok=True)
    _keep(root)
    scratch.rename(folder)
    _keep(folder.parent)


def _keep(folder: Path) -> None:
    """Let the names in ``folder`` survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    end = time.monotonic() + _LOCKED_WITHIN_SECONDS
    with (root / _LOCK).open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(0, f"another worker has held {_LOCK} for {_LOCKED_WITHIN_SECONDS:g} s") from None
                time.sleep(_AGAIN_SECONDS)
        yield


def _folders(root: Path) -> list[Path]:
    return sorted(
        folder for series in root.iterdir() if series.is_dir() and series.name != _SCRATCH
        for folder in series.iterdir() if folder.is_dir()
    )  # fmt: skip


def _files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if not one.is_dir()}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _parsed(text: bytes) -> Manifest | None:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError:
        return None


def _sealed_at(text: bytes) -> datetime:
    manifest = _parsed(text)
    return manifest.sealed_at if manifest else _NEVER
