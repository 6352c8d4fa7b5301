"""What rejoins have moved aside on this member's volume: listed, and removed one by one when a person says so.

A removal renames before it deletes: what stands in the list is complete, and what a killed gate had begun to delete goes
when it starts again.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread

from gate.api import KeptAside
from gate.loop.rejoin import GOING, directories, folder_bytes, kept_folder
from gate.postgres import tablespaces
from gate.settings import Settings

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:+_-]*")
_CLEARING = Lock()


def listed(settings: Settings) -> tuple[KeptAside, ...]:
    """Return what is kept aside, oldest first. Reads every folder's size: seconds for a large one."""
    found = [path for path in _below(kept_folder(settings)) if _NAME.fullmatch(path.name) and path.suffix != GOING]
    return tuple(
        KeptAside(name=path.name, bytes=_bytes(settings, path), since=datetime.fromtimestamp(path.stat().st_ctime, UTC))
        for path in sorted(found, key=lambda one: one.stat().st_ctime)
    )


def take_off(settings: Settings, name: str) -> bool:
    """Take what is kept as ``name`` off the list, at once; return whether it was there. OSError: the volume refuses."""
    place = kept_folder(settings)
    there = _NAME.fullmatch(name) is not None and not name.endswith(GOING) and (place / name).is_dir()
    if there:
        (place / name).rename(place / f"{name}{GOING}")
    return there


def clear(settings: Settings) -> None:
    """Delete what was taken off the list, beside everything else: a gate that ends does not wait for that.

    What cannot be deleted stays, and is tried again with the next removal and when the gate starts.
    """
    Thread(target=_clear, args=(settings,), name="clear", daemon=True).start()


def _clear(settings: Settings) -> None:
    with _CLEARING:
        for left in _below(kept_folder(settings)):
            if left.suffix == GOING:
                for path in (*_outside(settings, left), left):  # the links last: they tell what else there is
                    shutil.rmtree(path, ignore_errors=True)


def _outside(settings: Settings, kept: Path) -> list[Path]:
    """Return the tablespaces that belong to a data directory that is kept, and to no other."""
    return tablespaces.files_of(kept, (one for one in directories(settings) if one != kept))


def _bytes(settings: Settings, kept: Path) -> int:
    return sum(map(folder_bytes, (kept, *_outside(settings, kept))))


def _below(place: Path) -> list[Path]:
    return [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
