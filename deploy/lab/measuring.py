"""Starts ``deploy.lab.load`` inside the hub and collects what it saw. It ends with whoever started it."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

from deploy.lab.controlplane import kubectl_command
from deploy.lab.load_data import LoadSettings
from deploy.lab.names import Lab, LabError
from deploy.lab.network import in_hub
from deploy.lab.redis_load import RedisLoadSettings
from deploy.lab.workload import MEMBERS, NAMESPACE, SENTINELS, kubectl, secret_of

_SENTINEL_PORT = 26379
_ENDS_WITHIN = 240.0
_CHECKOUT = Path(__file__).resolve().parents[2]


class Load:
    """A running load."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take over a started process."""
        self._process = process
        self.seen: dict[str, Any] = {}

    def stop(self) -> dict[str, Any]:
        """End it and return what it saw; LabError: it did not say. Safe to repeat."""
        if not self.seen:
            self._process.send_signal(signal.SIGTERM)
            try:
                out, _ = self._process.communicate(timeout=_ENDS_WITHIN)
            except subprocess.TimeoutExpired as error:
                self._process.kill()
                raise LabError(f"the load did not say within {_ENDS_WITHIN:.0f} s what it has seen") from error
            lines = out.strip().splitlines()
            if not lines or self._process.returncode != 0:
                raise LabError(f"the load ended with {self._process.returncode} and has not said what it saw")
            self.seen = json.loads(lines[-1])
        return self.seen


@contextmanager
def load(lab: Lab, binaries: Path, settings: LoadSettings | None = None) -> Iterator[Load]:
    """Make load inside the block: on the platform, or wherever ``settings`` say.

    Raises:
        LabError: the lab does not take it.
    """
    settings = settings or platform_settings(lab, binaries)
    process = subprocess.Popen(
        in_hub(lab, "setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "deploy.lab.load"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_CHECKOUT,
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise LabError("the load has no pipes")
    process.stdin.write(settings.model_dump_json() + "\n")
    process.stdin.flush()
    if process.stdout.readline().strip() != "ready":
        raise LabError("the load did not start: PostgreSQL does not take writes through its Service")
    running = Load(process)
    with _pods_told_to(process.stdin, lab, binaries):
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def _pods_told_to(pipe: IO[str], lab: Lab, binaries: Path) -> Iterator[None]:
    """Tell the load the address of each pod that is made anew: the checker must not look at empty places.

    A watch ends with its API server, and begins again.
    """
    line = r'jsonpath={.metadata.name} {.status.podIP}{"\n"}'
    arguments = ("-n", NAMESPACE, "get", "pods", "-l", "app in (postgresql,redis)", "--watch", "-o", line)
    ended, watches = Event(), list[subprocess.Popen[str]]()

    def copy() -> None:
        while not ended.is_set():
            watch = subprocess.Popen(
                kubectl_command(lab, binaries, *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            watches.append(watch)
            with suppress(OSError, ValueError):
                for told in watch.stdout or ():
                    pipe.write(told)
                    pipe.flush()
            watch.terminate()
            watch.wait()
            ended.wait(0.5)

    thread = Thread(target=copy, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        for watch in watches:
            watch.terminate()
        thread.join()


def platform_settings(lab: Lab, binaries: Path) -> LoadSettings:
    """Return where the platform's clients go."""

    def address(kind: str, name: str, path: str) -> str:
        return kubectl(lab, binaries, "get", kind, name, "-o", f"jsonpath={{{path}}}")

    return LoadSettings(
        write_address=address("service", "postgresql-primary", ".spec.clusterIP"),
        api_address=address("service", "api", ".spec.clusterIP"),
        members={member: address("pod", member, ".status.podIP") for member in MEMBERS},
        password=secret_of(lab, "postgresql-passwords", "application"),
        token=secret_of(lab, "api-token", "token"),
        run=secrets.token_hex(4),
        redis=_redis_settings(lab, binaries),
    )


def _redis_settings(lab: Lab, binaries: Path) -> RedisLoadSettings | None:
    """Return where the platform's Redis is; None when it has none."""

    def addresses(path: str, *which: str) -> dict[str, str]:
        lines = f'jsonpath={{range .items[*]}}{{.metadata.name}} {{{path}}}{{"\\n"}}{{end}}'
        found = kubectl(lab, binaries, "get", *which, "-o", lines)
        return dict(line.split(" ", 1) for line in found.splitlines() if line)

    services = addresses(".spec.clusterIP", "services")
    sentinels = [services[name] for name in SENTINELS if name in services]
    members = addresses(".status.podIP", "pods", "-l", "app=redis")
    if not sentinels or not members:
        return None
    password = secret_of(lab, "redis-password", "password")
    return RedisLoadSettings(
        sentinels=[(address, _SENTINEL_PORT) for address in sentinels], members=members, password=password
    )
