"""Debian packages that the lab needs; installs what is missing and starts no service."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.lab.names import LabError

_PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "setpriv": "util-linux",
    "redis-server": "redis-server",
    "redis-sentinel": "redis-sentinel",
    "haproxy": "haproxy",
}
_CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
_LOCK = Path("/run/lock/failover-packages")
_POLICY = Path("/usr/sbin/policy-rc.d")
_CAPABILITIES = {"CAP_SYS_ADMIN": 21, "CAP_NET_ADMIN": 12}
_ELSEWHERE = "use an existing cluster instead: failover lab up --context NAME"


def postgres_bin() -> Path | None:
    """Return the newest installed PostgreSQL's ``bin`` folder."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def missing_packages(also: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Return the packages to install, sorted; ``also`` is program → package of what else is needed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    wanted = {package for program, package in {**_PROGRAMS, **also}.items() if shutil.which(program, path=path) is None}
    if not Path("/usr/lib/cni/ptp").exists():
        wanted.add("containernetworking-plugins")
    if postgres_bin() is None:
        wanted.add("postgresql")
    return sorted(wanted)


def ensure_packages(say: Callable[[str], None], also: Mapping[str, str] = MappingProxyType({})) -> None:
    """Install what is missing, and of ``also``, program → package.

    Raises:
        LabError: not Linux, not root, not a Debian, or the installation failed.
    """
    must_be_root()
    if not Path("/proc/self/ns/net").exists():
        raise LabError(f"this kernel has no network namespaces; {_ELSEWHERE}")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt-get fails beside another one
        missing = missing_packages(also)
        if not missing:
            return
        if shutil.which("apt-get") is None:
            raise LabError(f"this distribution has no apt-get; install {', '.join(missing)} by hand, or {_ELSEWHERE}")
        say(f"  installing {', '.join(missing)}")
        _install(missing)


def must_be_root() -> None:
    """Return if this process may do what the lab needs.

    Raises:
        LabError: not Linux, not root, or a root that may not make namespaces.
    """
    if os.uname().sysname != "Linux":
        raise LabError(f"the lab needs Linux, this is {os.uname().sysname}; {_ELSEWHERE}")
    if os.geteuid() != 0:
        raise LabError(f"the lab needs root for network namespaces and containers; run it with sudo, or {_ELSEWHERE}")
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), ~0)
    lacking = [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]
    if lacking:
        raise LabError(f"root lacks {' and '.join(lacking)} here (a container?); give it them, or {_ELSEWHERE}")


def _install(packages: list[str]) -> None:
    """Install with services held back, so that no containerd, PostgreSQL or Redis of the distribution starts."""
    held = not _POLICY.exists()
    if held:
        _POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        _POLICY.chmod(0o755)
    if "postgresql" in packages and not _CREATE_CLUSTER.exists():
        _CREATE_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
        _CREATE_CLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                words = (done.stderr or done.stdout).strip()[-500:]
                raise LabError(f"`{' '.join(command)}` failed: {words}")
    finally:
        if held:
            _POLICY.unlink(missing_ok=True)
