"""Three servers and three Sentinels as processes on loopback addresses, with the shipped scripts and settings.

What Kubernetes gives to a pod is given here by hand: the addresses of the Services in the environment, a disk that stays,
the password in a file. Only ``bind`` is added to the settings, since all of them share one machine.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.leftovers import marks
from tests.ports import is_free

SETTINGS = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "base" / "redis" / "settings"
SERVERS = ("redis-0", "redis-1", "redis-2")
SENTINELS = ("redis-sentinel-0", "redis-sentinel-1", "redis-sentinel-2")
SHIPPED = 3000
"""``down-after-milliseconds`` as it is shipped."""
_ONCE = Retry(NoBackoff(), 0)
PASSWORD = 'a "quoted" \\ word'


class Cluster:
    """The six members. Makes no promise that any of them runs."""

    def __init__(self, folder: Path, *, down_after: int = SHIPPED) -> None:
        """Prepare addresses, disks and settings.

        Args:
            folder: where all of it goes.
            down_after: milliseconds, and twice as many until a Sentinel has met the master. Not below 1500: it connects
                to a new master once a second, and would take it for dead before that.
        """
        self._folder = folder
        self._down_after = down_after
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.addresses = _free_addresses()
        self.change_password(PASSWORD)
        for member in self.addresses:
            self.disk(member).mkdir(parents=True)
            self._write_settings(member)

    def start(self, *members: str) -> None:
        """Start each as its container would be."""
        for member in members:
            self._running[member] = self._begin(member)

    def start_missing(self) -> None:
        """Start what does not run, and let go on what is frozen: what a test that failed has left."""
        for member in (*SERVERS, *SENTINELS):
            if member not in self._running or self._running[member].poll() is not None:
                self.start(member)
            self.signal(member, signal.SIGCONT)

    @contextlib.contextmanager
    def twin(self, member: str) -> Iterator[None]:
        """Start a member a second time, as on another node; it ends with the block."""
        process = self._begin(member)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def change_password(self, password: str) -> None:
        """Change the Secret; what runs keeps the old one."""
        self.password = password
        (self._folder / "password").write_text(password, encoding="utf-8")

    def kill(self, *members: str) -> None:
        """End all processes of each at once."""
        for member in members:
            self.signal(member, signal.SIGKILL)
            self._running.pop(member).wait()

    def stop(self, *members: str) -> None:
        """End each as Kubernetes does, by a signal to its first process."""
        for member in members:
            self._running[member].terminate()
        for member in members:
            self._running[member].wait(20)
            self.kill(member)

    def signal(self, member: str, number: signal.Signals) -> None:
        """Send ``number`` to all processes of a member."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running[member].pid, number)

    def end(self) -> None:
        """End whatever runs."""
        self.kill(*list(self._running))

    def wipe(self, *members: str) -> None:
        """Give each a new, empty disk."""
        for member in members:
            shutil.rmtree(self.disk(member))
            self.disk(member).mkdir()

    def disk(self, member: str) -> Path:
        return self._folder / "disks" / member

    def log(self, member: str) -> str:
        """Return what the member has said so far, its server's words included."""
        return self._log(member).read_text(encoding="utf-8", errors="replace")

    def probe(self, member: str) -> bool:
        """Return what the readiness probe answers."""
        script = str(self._settings(member) / "in-sync.sh")
        return subprocess.run(["sh", script], env=self._environment(member), check=False).returncode == 0

    def client(self, member: str, **options: Any) -> Redis:
        """Return a client of one member, which does not try again by itself."""
        port = 26379 if member in SENTINELS else 6379
        wait = {"socket_timeout": 1, "socket_connect_timeout": 1, **options}
        return Redis(self.addresses[member], port, password=self.password, decode_responses=True, retry=_ONCE, **wait)

    def role(self, member: str) -> str:
        """Return ``master``, ``slave`` or, when it does not answer, ``silent``."""
        try:
            with self.client(member) as client:
                return str(client.info("replication")["role"])
        except (RedisError, KeyError):
            return "silent"

    def named(self) -> list[str]:
        """Return the member that each Sentinel calls the master; silent ones are left out."""
        members = {address: member for member, address in self.addresses.items()}
        found = []
        for sentinel in SENTINELS:
            with contextlib.suppress(RedisError), self.client(sentinel) as client:
                found.append(members[client.execute_command("sentinel", "get-master-addr-by-name", "mymaster")[0]])
        return found

    def leader(self) -> str:
        """Return the member that all three Sentinels name; empty when they do not agree."""
        named = self.named()
        return named[0] if len(named) == len(SENTINELS) and len(set(named)) == 1 else ""

    def write(self, member: str, key: str, value: str = "1") -> None:
        with self.client(member) as client:
            client.set(key, value)

    def read(self, member: str, key: str) -> str | None:
        with self.client(member) as client:
            found = client.get(key)
            return None if found is None else str(found)

    def is_whole(self, leader: str = "") -> bool:
        """Return whether all name ``leader`` (or one), the others have what it has, and each Sentinel could elect one."""
        leader = leader or self.leader()
        if not leader or self.leader() != leader or not all(self._would_elect(sentinel) for sentinel in SENTINELS):
            return False
        with self.client(leader) as client:
            told = client.info("replication")
            if client.config_get("min-replicas-to-write")["min-replicas-to-write"] != "1":
                return False
        followers = [one for one in SERVERS if one != leader and self.probe(one) and self.role(one) == "slave"]
        return told["role"] == "master" and told["min_slaves_good_slaves"] == 2 and len(followers) == 2

    def _would_elect(self, sentinel: str) -> bool:
        with self.client(sentinel) as client:
            if int(client.execute_command("sentinel", "master", "mymaster")["down-after-milliseconds"]) > self._down_after:
                return False
            return any(
                one["slave-priority"] != "0" and one["master-link-status"] == "ok" and "down" not in one["flags"]
                for one in client.execute_command("sentinel", "replicas", "mymaster")
            )

    def _begin(self, member: str) -> subprocess.Popen[bytes]:
        script = "start-sentinel.sh" if member in SENTINELS else "start-redis.sh"
        command = ["sh", str(self._settings(member) / script)]
        with self._log(member).open("ab") as log:
            environment = self._environment(member)
            return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def _environment(self, member: str) -> dict[str, str]:
        services = {f"{one.upper().replace('-', '_')}_SERVICE_HOST": address for one, address in self.addresses.items()}
        return {
            **services,
            **marks.environment(),
            "PATH": os.environ["PATH"],
            "MEMBER": member,
            "SETTINGS": str(self._settings(member)),
            "DATA": str(self.disk(member)),
            "PASSWORD_FILE": str(self._folder / "password"),
            "LOCAL": self.addresses[member],
            **({} if self._down_after == SHIPPED else {"START_MILLISECONDS": str(2 * self._down_after)}),
        }

    def _write_settings(self, member: str) -> None:
        shutil.copytree(SETTINGS, self._settings(member))
        for name in ("redis.conf", "sentinel.conf"):
            path = self._settings(member) / name
            text = path.read_text(encoding="utf-8") + f"\nbind {self.addresses[member]}\n"
            assert f"down-after-milliseconds mymaster {SHIPPED}" in text or name == "redis.conf"
            text = text.replace(f"mymaster {SHIPPED}", f"mymaster {self._down_after}")
            path.write_text(text, encoding="utf-8")

    def _settings(self, member: str) -> Path:
        return self._folder / "settings" / member

    def _log(self, member: str) -> Path:
        return self._folder / f"{member}.log"


@contextlib.contextmanager
def running(folder: Path, *, down_after: int = SHIPPED) -> Iterator[Cluster]:
    """Start everything for the first time and hand it over once it is whole; all of it ends with the block."""
    cluster = Cluster(folder, down_after=down_after)
    try:
        cluster.start(*SENTINELS, *SERVERS)
        until("whole", cluster.is_whole)
        yield cluster
    finally:
        cluster.end()


def until(what: str, holds: Callable[[], bool], seconds: float = 45) -> float:
    """Return how long it took until ``holds()``; an error of Redis counts as no."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(RedisError):
            if holds():
                return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def _free_addresses() -> dict[str, str]:
    """Return six loopback addresses on which nobody listens: other tests, and other people's, run beside these."""
    while True:
        prefix = f"127.{random.randint(10, 250)}.{random.randint(0, 250)}"
        addresses = {member: f"{prefix}.{number}" for number, member in enumerate((*SERVERS, *SENTINELS), 1)}
        if all(is_free(address, 26379) and is_free(address, 6379) for address in addresses.values()):
            return addresses
