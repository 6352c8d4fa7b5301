"""The product as the lab's pods get it: a copy of this checkout's code, this Python, and its libraries.

The copy is made anew by every ``up``, so that an edited file is what runs next; its digest goes into the pods' annotations,
so that pods are replaced when, and only when, their own code has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import sysconfig
from pathlib import Path

from deploy.lab.names import Lab

_CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCT = ("estate", "gate", "languages", "activities", "workflows", "workers")
"""Packages that a worker is made of."""
_INSIDE = "/run/lab"


def shown(lab: Lab) -> dict[str, str]:
    """Return path inside a node → path on this machine, for everything that pods borrow."""
    return {
        f"{_INSIDE}/product": str(lab.product),
        f"{_INSIDE}/python": sys.base_prefix,
        f"{_INSIDE}/site": sysconfig.get_path("purelib"),
        f"{_INSIDE}/disks": str(lab.disks),
        f"{_INSIDE}/extra": str(lab.extra),
    }


def copy_product(lab: Lab) -> None:
    """Bring the copy up to date."""
    wanted = {path.relative_to(_CHECKOUT) for name in (*PRODUCT, "deploy") for path in _sources(name)}
    for relative in wanted:
        content, goal = (_CHECKOUT / relative).read_bytes(), lab.product / relative
        goal.parent.mkdir(parents=True, exist_ok=True)
        if not goal.exists() or goal.read_bytes() != content:
            goal.write_bytes(content)
    for path in lab.product.rglob("*.py"):
        if path.relative_to(lab.product) not in wanted:
            path.unlink()
    _link_python(lab)
    _make_readable(lab.product)


def digest_of(*packages: str) -> str:
    """Return the digest of the code of ``packages`` in this checkout."""
    digest = hashlib.sha256()
    for name in packages:
        for path in _sources(name):
            digest.update(str(path.relative_to(_CHECKOUT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(package: str) -> list[Path]:
    return sorted(path for kind in ("*.py", "*.po") for path in (_CHECKOUT / package).rglob(kind))


def _link_python(lab: Lab) -> None:
    link = lab.product / "bin" / "python"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(f"/opt/python/bin/python{sys.version_info.major}.{sys.version_info.minor}")


def _make_readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)


def make_disk(lab: Lab, name: str, user: int, group: int) -> None:
    """Make the disk ``name`` unless it is there; what is on it stays."""
    disk = lab.disks / name
    if not disk.exists():
        disk.mkdir(parents=True, mode=0o700)
        shutil.chown(disk, user, group)
