"""Tablespaces, which lie outside the data directory, and a copy of a member that has some.

PostgreSQL reaches a tablespace through a link in the data directory, and ``pg_basebackup`` refuses a folder that is not
empty. A copy therefore goes into a folder of its own below the tablespace's location, ``failover-TIME``, and the links of
the new directory lead there. The old directory keeps its links and its files: it stays whole wherever it is moved. What a
copy that was cut short has left is known by this: no directory's link leads there.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from gate.api import Tablespace

_COPIED = re.compile(r"failover-\d{8}T\d{6}")


def place_for_copy(tablespace: Tablespace, stamp: str) -> Path:
    """Return where a copy that was begun at ``stamp`` puts it, wherever the member that is copied has it."""
    return _location(tablespace) / f"failover-{stamp}"


def mapped(tablespaces: Iterable[Tablespace], stamp: str) -> list[str]:
    """Return what ``pg_basebackup`` must be told of them."""
    return [f"--tablespace-mapping={_escaped(one.location)}={_escaped(place_for_copy(one, stamp))}" for one in tablespaces]


def linked(data: Path) -> set[Path]:
    """Return where the tablespaces of this data directory are."""
    links = data / "pg_tblspc"
    return {path.readlink() for path in links.iterdir() if path.is_symlink()} if links.is_dir() else set()


def clear_cut_short(tablespaces: Iterable[Tablespace], kept: Iterable[Path]) -> None:
    """Delete copies that no data directory of ``kept`` has a link to."""
    needed = set[Path]().union(*map(linked, kept))
    for tablespace in tablespaces:
        place = _location(tablespace)
        for left in place.iterdir() if place.is_dir() else ():
            if _COPIED.fullmatch(left.name) and left not in needed:
                shutil.rmtree(left, ignore_errors=True)


def files_of(data: Path, others: Iterable[Path]) -> list[Path]:
    """Return the folders with tablespaces of ``data`` alone: no link of ``others`` leads there."""
    places = linked(data) - set[Path]().union(*map(linked, others))
    return [folder for place in sorted(places) if place.is_dir() for folder in sorted(place.glob("PG_*"))]


def room_needed(tablespaces: Iterable[Tablespace], data: Path, data_bytes: int) -> dict[Path, int]:
    """Return the bytes that a copy needs below each path, one path a file system."""
    needed = {data: data_bytes}
    devices = {data.stat().st_dev: data}
    for tablespace in tablespaces:
        place = _location(tablespace)
        there = next(folder for folder in (place, *place.parents) if folder.is_dir())
        path = devices.setdefault(there.stat().st_dev, there)
        needed[path] = needed.get(path, 0) + tablespace.bytes
    return needed


def goes_with_the_container(location: str, directory: Path) -> bool:
    """Whether it lies in the container's own file system, while the member's ``directory`` is on a volume."""
    with contextlib.suppress(OSError):
        root = Path("/").stat().st_dev
        return Path(location).stat().st_dev == root != directory.stat().st_dev
    return False


def _location(tablespace: Tablespace) -> Path:
    place = Path(tablespace.location)
    return place.parent if _COPIED.fullmatch(place.name) else place


def _escaped(path: object) -> str:
    return str(path).replace("=", r"\=")
