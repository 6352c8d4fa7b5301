"""Container images made here: an empty root with mount points for the host's own programs, and ``pause``.

The lab has no image registry. A pod of the lab gets the host's ``/usr`` and the Python that runs this, read-only, by
hostPath; ``/etc`` is a copy of the few files that programs look up, so that the kubelet's own files stay visible.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from deploy.lab.names import Lab

USERLAND_IMAGE = "failover.lab/userland:2"
PAUSE_IMAGE = "failover.lab/pause:1"
_LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
_FOLDERS = (
    "usr",
    "etc",
    "proc",
    "sys",
    "dev",
    "run",
    "var",
    "var/lib",
    "var/run",
    "home",
    "root",
    "opt",
    "opt/failover",
    "opt/python",
    "opt/site",
)
_ENVIRONMENT = ["PATH=/opt/failover/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH=/opt/failover:/opt/site", "LANG=C.UTF-8"]
_ETC = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "protocols", "services", "localtime")


def make_images(lab: Lab, binaries: Path) -> None:
    """Write both images as archives that ``ctr images import`` takes."""
    folder = lab.home / "images"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "userland.tar").exists():
        _write_image(folder / "userland.tar", USERLAND_IMAGE, _userland(), [])
    if not (folder / "pause.tar").exists():
        _write_image(folder / "pause.tar", PAUSE_IMAGE, _pause(binaries / "pause"), ["/pause"])


def _userland() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for name in _FOLDERS:
            _add_folder(layer, name, 0o755)
        _add_folder(layer, "tmp", 0o1777)
        for name, goal in _LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, goal
            layer.addfile(link)
        for name in _ETC:
            if Path("/etc", name).exists():
                _add_file(layer, f"etc/{name}", Path("/etc", name).read_bytes(), 0o644)
        layer.add("/etc/alternatives", "etc/alternatives")
    return buffer.getvalue()


def _pause(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        _add_file(layer, "pause", program.read_bytes(), 0o755)
    return buffer.getvalue()


def _add_folder(layer: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    layer.addfile(folder)


def _add_file(layer: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    file = tarfile.TarInfo(name)
    file.size, file.mode = len(content), mode
    layer.addfile(file, io.BytesIO(content))


def _write_image(path: Path, tag: str, layer: bytes, entrypoint: list[str]) -> None:
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": entrypoint, "Env": _ENVIRONMENT},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in (("config.json", config), ("layer.tar", layer), ("manifest.json", manifest)):
            _add_file(archive, name, content, 0o644)
