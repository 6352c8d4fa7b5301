"""How much memory a process and all that descends from it use."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_KIB = 1024


def memory_of(root: int) -> int:
    """Return the bytes that ``root`` and its descendants use; what several of them share counts once (PSS)."""
    children = _children()
    found, ahead = 0, [root]
    while ahead:
        pid = ahead.pop()
        ahead += children.get(pid, [])
        found += _proportional(pid)
    return found


def _children() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    return children


def _proportional(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * _KIB
    return 0
