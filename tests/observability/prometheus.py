"""A real Prometheus on loopback: Debian's, started by hand, and asked by HTTP."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.lab.patience import stretched
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"
RULES = OBSERVABILITY / "rules.yaml"


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    port: int

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer. AssertionError: it refuses the question, with its words."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=stretched(10)) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return labels → value, without the labels that say where it was scraped.

        A scrape that a busy machine has failed leaves nothing until the next one: the answer waits for that.
        """
        until, found = time.monotonic() + stretched(30), self._found(expression)
        while not found and time.monotonic() < until and not self._scrapes():
            time.sleep(0.2)
        return found or self._found(expression)

    def _found(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        hidden = {"__name__", "job", "instance"}
        return {
            frozenset((key, value) for key, value in one["metric"].items() if key not in hidden): float(one["value"][1])
            for one in self.ask("query", query=expression)["result"]
        }

    def _scrapes(self) -> bool:
        found = self.ask("query", query="min(up)")["result"]
        return bool(found) and float(found[0]["value"][1]) == 1

    def value(self, expression: str) -> float:
        """Return the only value."""
        found = list(self.query(expression).values())
        assert len(found) == 1, (expression, found)
        return found[0]


@contextmanager
def prometheus(folder: Path, scraped: Mapping[str, int], interval: str = "2s") -> Iterator[Prometheus]:
    """Start one that scrapes job → port, and judges the shipped rules; end it with the block."""
    jobs = [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in scraped.items()]
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(RULES)],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    one = Prometheus(free_port("127.0.0.1"))
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{one.port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _until_ready(one, process, folder)
        yield one
    finally:
        process.kill()
        process.wait()


def _until_ready(one: Prometheus, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + stretched(30)
    while time.monotonic() < until:
        assert process.poll() is None, (folder / "prometheus.log").read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{one.port}/-/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("Prometheus did not come up")
