"""What rejoins have moved aside on this member's volume: listed, and removed one by one when a person says so.

A removal renames before it deletes: what stands in the list is whole, and what a killed gate had begun to remove goes with
the next removal.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from gate.api import KeptAside
from gate.loop.rejoin import folder_bytes, kept_folder
from gate.settings import Settings

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:+_-]*")
_GOING = ".going"


def listed(settings: Settings) -> tuple[KeptAside, ...]:
    """Return what is kept aside, oldest first. Reads every folder's size: seconds for a large one."""
    found = [path for path in _below(kept_folder(settings)) if _NAME.fullmatch(path.name) and path.suffix != _GOING]
    return tuple(
        KeptAside(name=path.name, bytes=folder_bytes(path), since=datetime.fromtimestamp(path.stat().st_ctime, UTC))
        for path in sorted(found, key=lambda one: one.stat().st_ctime)
    )


def remove(settings: Settings, name: str) -> bool:
    """Remove what is kept as ``name``, for good; return whether it was there. OSError: the volume does not let us."""
    place = kept_folder(settings)
    there = _NAME.fullmatch(name) is not None and not name.endswith(_GOING) and (place / name).is_dir()
    if there:
        (place / name).rename(place / f"{name}{_GOING}")
    for left in _below(place):
        if left.suffix == _GOING:
            shutil.rmtree(left)
    return there


def _below(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
