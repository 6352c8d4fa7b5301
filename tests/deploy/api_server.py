"""A real API server with its etcd, and nothing else of a cluster: it decides about permissions and admission."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.lab.binaries import ensure_binaries
from tests.deploy.manifests import Object
from tests.leftovers.marks import ends_with_the_run
from tests.ports import free_port

ADMIN = "admin"
_PATIENCE_SECONDS = 150


class ApiServer:
    """One that runs, as ``kubectl`` and clients reach it."""

    def __init__(self, folder: Path, port: int, accounts: dict[str, tuple[str, str]]) -> None:
        self._binaries, self._accounts, self.port = ensure_binaries(print), accounts, port
        self.policy: list[Object] = []
        self.kubeconfig = folder / "kubeconfig"
        if not self.kubeconfig.exists():  # others may be reading it
            self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(port, accounts)), encoding="utf-8")

    def kubectl(self, *arguments: str, feed: str = "", context: str = ADMIN) -> subprocess.CompletedProcess[str]:
        """Run kubectl as one of the accounts."""
        command = [str(self._binaries / "kubectl"), f"--kubeconfig={self.kubeconfig}", f"--context={context}", *arguments]
        return subprocess.run(command, input=feed, capture_output=True, text=True, check=False)

    def is_ready(self) -> bool:
        """Whether it answers, and has all it needs."""
        return self.kubectl("get", "--raw", "/readyz").returncode == 0

    def apply(self, objects: list[Object], *arguments: str) -> str:
        """Bring ``objects`` about as an administrator; return what kubectl said beside it: warnings."""
        done = self.kubectl("apply", "--server-side", *arguments, "-f", "-", feed=yaml.safe_dump_all(objects))
        assert done.returncode == 0, done.stderr
        return done.stderr


@contextmanager
def api_server(folder: Path, **accounts: tuple[str, str]) -> Iterator[ApiServer]:
    """Start one in ``folder``. ``accounts``: kubeconfig context → user name and group, beside the administrator."""
    running, found = _started(folder, accounts)
    try:
        until(found.is_ready)
        yield found
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def shared_api_server(name: str, **accounts: tuple[str, str]) -> ApiServer:
    """Return one that all processes of this run of the tests share: the first to ask starts it. It ends with the run.

    Who shares it keeps to a namespace of its own, and leaves nodes as they are.
    """
    folder = Path(tempfile.gettempdir()) / f"api-server-{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        port = folder / "port"
        if not port.exists():
            folder.mkdir()
            running, found = _started(folder, accounts)
            until(found.is_ready)
            ends_with_the_run(*(process.pid for process in running))
            port.write_text(str(found.port), encoding="utf-8")
        return ApiServer(folder, int(port.read_text(encoding="utf-8")), _known(accounts))


def _known(accounts: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {ADMIN: (ADMIN, "system:masters"), **accounts}


def _started(folder: Path, accounts: dict[str, tuple[str, str]]) -> tuple[list[subprocess.Popen[bytes]], ApiServer]:
    binaries, known = ensure_binaries(print), _known(accounts)
    rows = [f'{context}-token,{user},{context},"{group}"' for context, (user, group) in known.items()]
    (folder / "tokens.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    key = folder / "accounts.key"
    key.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    client_port, peer_port, port = (free_port("127.0.0.1") for _ in range(3))
    etcd = [
        str(binaries / "etcd"), f"--data-dir={folder / 'etcd'}", "--log-level=error", "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{client_port}", f"--advertise-client-urls=http://127.0.0.1:{client_port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
    ]  # fmt: skip
    server = [
        str(binaries / "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{client_port}", f"--secure-port={port}",
        "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={folder / 'certificates'}",
        f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.255.0.0/24",
        f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",  # nobody makes the namespaces' own accounts
    ]  # fmt: skip
    return [_begin(folder, etcd), _begin(folder, server)], ApiServer(folder, port, known)


def until(holds: Callable[[], bool]) -> None:
    """Return once that holds."""
    ends = monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert monotonic() < ends
        sleep(0.2)


def _begin(folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _kubeconfig(port: int, accounts: dict[str, tuple[str, str]]) -> dict[str, Any]:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": one, "user": {"token": f"{one}-token"}} for one in accounts],
        "contexts": [{"name": one, "context": {"cluster": "it", "user": one}} for one in accounts],
    }
