"""What a gate must not forget: written and fsynced before it is acted upon.

A full disk must not keep a gate from fencing, or from undoing a fence: most databases that stop writing stop for it. So
there are always two files, each with its place on disk. The one that is not in use is overwritten, brought to disk, and
takes the other's name in one step, so that what a crash leaves is one of the two, whole.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict


class State(BaseModel):
    """Durable promises of one gate."""

    model_config = ConfigDict(frozen=True)

    epoch: int = 0
    """Highest epoch seen: everything below is ignored."""
    fenced_at: int | None = None
    """Epoch of the fence that stands: the server stays stopped."""
    promoted_at: int | None = None
    """Epoch of the promotion that was accepted here."""
    promoted_xid: int | None = None
    """Next transaction ID when that promotion was accepted: what was begun since has this one or a later one."""
    reverting: int | None = None
    """Newest timeline that is given up: this server, not rewound, is to lead again on a later one (``gate.loop.revert``)."""
    rejoin_behind: str = ""
    """Leader that a person has asked this member to follow although automatic rejoin is paused; empty once it does."""
    ahead: str = ""
    """While it leads: standbys that have WAL which was never written here, comma-separated (``gate.loop.ahead``)."""


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)


class Store:
    """Keeps ``State`` in one file, and a second one to write the next into; one gate per directory."""

    def __init__(self, folder: Path) -> None:
        """Open, or start with a fresh state.

        Raises:
            BlockingIOError: another gate holds the directory.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "state.json"
        self._lock: IO[str] = (folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else "{}"
        self.state = State.model_validate_json(text)
        self._spare = folder / "state.spare"
        if not self._spare.exists():
            write_durably(self._spare, text)

    def write(self, **changes: int | str | None) -> None:
        """Change fields, on disk first; nothing is written when nothing changes. The epoch is never lowered.

        OSError: the disk does not take it.
        """
        wanted = self.state.model_copy(update=changes)
        wanted = wanted.model_copy(update={"epoch": max(wanted.epoch, self.state.epoch)})
        if wanted == self.state:
            return
        text = wanted.model_dump_json()
        if self._path.exists() and self._spare.exists():
            _overwrite(self._spare, text)
            _exchange(self._spare, self._path)
            sync_folder(self._path.parent)
        else:
            write_durably(self._path, text)
        self.state = wanted


def write_durably(path: Path, text: str) -> None:
    """Put ``text`` at ``path``: whole or not at all, and on disk at return."""
    scratch = path.with_suffix(".new")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def _overwrite(path: Path, text: str) -> None:
    """Put ``text`` into the blocks that ``path`` has, and on disk."""
    with path.open("r+", encoding="utf-8") as file:
        file.write(text)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _exchange(one: Path, other: Path) -> None:
    """Let two files take each other's name at once; where the file system cannot, ``one`` takes the other's place."""
    if _libc.renameat2(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _RENAME_EXCHANGE) != 0:
        one.replace(other)


def sync_folder(folder: Path) -> None:
    """Bring the names in ``folder`` to disk: what was made, renamed or removed there."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
