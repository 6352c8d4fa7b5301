"""The record of a drill: files, a manifest of their hashes, a signature over that, and the hash of the record before.

    record  = files + manifest.json + manifest.json.sig
    manifest = what it is of, sha256 and size of each file, sha256 of the manifest before

Whoever changes one byte of a file must change the manifest, and for that needs the key. Whoever takes a record away breaks
the chain at the one after it. The last record can be taken away unseen, unless somebody has noted its hash: the summary of
each month names it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import AwareDatetime, ValidationError

from activities.run.models.wire import Wire

NAMESPACE = "failover-evidence@v1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
_COLUMNS = 70
"""As ``ssh-keygen`` breaks the lines of a signature."""


class Kept(Wire):
    """One file of a record."""

    sha256: str
    size: int
    """Bytes."""


class Manifest(Wire):
    """What a record consists of."""

    drill: str
    """Workflow ID and run ID of the drill."""
    sealed_at: AwareDatetime
    files: dict[str, Kept]
    previous: str = ""
    """SHA-256 of the manifest of the record before it; empty: it is the first."""
    gaps: tuple[str, ...] = ()
    """Checks that could not be made, steps that were skipped, votes that nobody has proved."""

    @property
    def text(self) -> bytes:
        """Return the file: one way of writing it only."""
        return (json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


class Record(NamedTuple):
    """A record as it lies there."""

    name: str
    files: Mapping[str, bytes]
    """All of them, the manifest and its signature included."""


Verify = Callable[[bytes, str, datetime], str]
"""From text, signature and the time at which it was made to why it does not count; empty: it does. Never raises."""


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sealed(drill: str, files: Mapping[str, bytes], at: datetime, previous: str, gaps: tuple[str, ...] = ()) -> Manifest:
    """Return the manifest of ``files``."""
    kept = {name: Kept(sha256=digest(data), size=len(data)) for name, data in files.items()}
    return Manifest(drill=drill, sealed_at=at, files=kept, previous=previous, gaps=gaps)


def findings(records: tuple[Record, ...], verify: Verify) -> tuple[str, ...]:
    """Return, in sentences, all that is not as it was sealed; empty: everything is. ``records``: a series, oldest first."""
    found, before = list[str](), ""
    for record in records:
        told, manifest = _of_one(record, verify)
        found += [f"{record.name}: {one}" for one in told]
        if manifest is not None and manifest.previous != before:
            words = f"follows {manifest.previous[:12] or 'no record'}, not the one before it ({before[:12] or 'none'})"
            found.append(f"{record.name}: {words}: a record is missing, or was put in")
        before = digest(record.files.get(MANIFEST, b""))
    return tuple(found)


def _of_one(record: Record, verify: Verify) -> tuple[list[str], Manifest | None]:
    text, signature = record.files.get(MANIFEST), record.files.get(SIGNATURE)
    if text is None or signature is None:
        return [f"has no {MANIFEST if text is None else SIGNATURE}"], None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError:
        return [f"{MANIFEST} cannot be read"], None
    told = [] if manifest.text == text else [f"{MANIFEST} is not written as it is sealed"]
    if why := _why_no_signature(text, signature, manifest.sealed_at, verify):
        told.append(f"{SIGNATURE}: {why}")
    return [*told, *_of_files(record, manifest)], manifest


def _of_files(record: Record, manifest: Manifest) -> list[str]:
    there = {name: data for name, data in record.files.items() if name not in {MANIFEST, SIGNATURE}}
    told = [f"{name} is missing" for name in sorted(manifest.files.keys() - there.keys())]
    told += [f"{name} was added" for name in sorted(there.keys() - manifest.files.keys())]
    for name in sorted(there.keys() & manifest.files.keys()):
        kept, data = manifest.files[name], there[name]
        if (kept.size, kept.sha256) != (len(data), digest(data)):
            told.append(f"{name} was changed: {len(data)} bytes, sha256 {digest(data)[:12]}; sealed as {kept.sha256[:12]}")
    return told


def _why_no_signature(text: bytes, signature: bytes, at: datetime, verify: Verify) -> str:
    """Return why it does not count. A file that means the same and is written in another way was changed, too."""
    try:
        armored = signature.decode("ascii")
    except UnicodeDecodeError:
        return "it is no SSH signature"
    return verify(text, armored, at) or ("" if _rewritten(armored) == armored else "it was changed")


def _rewritten(armored: str) -> str:
    """Return the signature as ``ssh-keygen`` writes it."""
    first, *lines, last = armored.strip().splitlines()
    body = base64.b64encode(base64.b64decode("".join(lines))).decode()
    broken = [body[at : at + _COLUMNS] for at in range(0, len(body), _COLUMNS)]
    return "\n".join([first, *broken, last]) + "\n"
