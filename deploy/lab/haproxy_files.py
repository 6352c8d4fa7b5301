"""A layout as HAProxy reads it: the configuration file, the map from entries to pools, and where it keeps its socket.

Nothing is sent twice: no retry, no redispatch, and the connection to a server ends with each answer, so that a request never
meets one that the server has just closed. A connection of a customer stays, and each request on it is led anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.lab.haproxy_layout import ANY, NOBODY, PRIORITIES, Entry, Layout, Pool, milliseconds, words


@dataclass(frozen=True)
class Files:
    """What HAProxy reads and makes; one set for each process of it."""

    folder: Path
    number: int

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self.folder / f"haproxy-{self.number}.cfg"

    @property
    def routes(self) -> Path:
        """The map from entries to pools."""
        return self.folder / f"routes-{self.number}.map"

    @property
    def serving(self) -> Path:
        """The map from pools to the backends that serve while the process finishes: ``nbsrv`` is 0 for all of them then."""
        return self.folder / f"serving-{self.number}.map"

    @property
    def socket(self) -> Path:
        """The runtime socket."""
        return self.folder / f"runtime-{self.number}.sock"

    @property
    def states(self) -> Path:
        """What the process before this one knew of its servers' health."""
        return self.folder / "servers.state"

    @property
    def failed(self) -> Path:
        """The answer of a pool in which nobody answers."""
        return self.folder / "502.http"

    def write(self, layout: Layout) -> None:
        """Write all that a process reads."""
        self.failed.write_bytes(_FAILED)
        self.states.touch()
        self.serving.touch()
        self.routes.write_text("".join(f"{name} {one.pool}\n" for name, one in layout.entries.items()), encoding="utf-8")
        self.configuration.write_text("\n".join(_lines(layout, self)) + "\n", encoding="utf-8")


_FAILED = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 17\r\nConnection: close\r\n\r\n"
    b"no server answers"
)
_DEFAULTS = """\
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  timeout http-request 10s
  retries 0
  no option redispatch
  option http-server-close
  balance roundrobin
  load-server-state-from-file global"""


def _lines(layout: Layout, files: Files) -> Iterator[str]:
    yield "global"
    yield f"  stats socket {files.socket} mode 600 level admin expose-fd listeners"
    yield f"  server-state-file {files.states}"
    yield "  hard-stop-after 5s"
    yield "  nbthread 1"
    yield "  noreuseport"
    yield _DEFAULTS
    for name, entry in layout.entries.items():
        yield from _entry(name, entry, files)
    for name, pool in layout.pools.items():
        for priority in (ANY, *PRIORITIES):
            yield from _backend(f"{name}.{priority}", pool, layout, files)


def _entry(name: str, entry: Entry, files: Files) -> Iterator[str]:
    yield f"frontend {name}"
    yield f"  bind {entry.address}"
    yield f"  http-request set-var(txn.pool) str({name}),map({files.routes},{NOBODY})"
    refused = 'http-request return status 503 content-type text/plain string "no origin"'
    yield f"  {refused} if {{ var(txn.pool) -m str {NOBODY} }}"
    serving = f"var(txn.pool),map({files.serving})"
    yield f"  use_backend %[{serving}] if {{ stopping }} {{ {serving} -m found }}"
    for priority in PRIORITIES:
        backend = f"var(txn.pool),concat(.{priority})"
        yield f"  use_backend %[{backend}] if {{ {backend},nbsrv gt 0 }}"
    yield f"  use_backend %[var(txn.pool),concat(.{ANY})]"


def _backend(name: str, pool: Pool, layout: Layout, files: Files) -> Iterator[str]:
    yield f"backend {name}"
    yield f"  errorfile 503 {files.failed}"
    if pool.probe:
        yield "  option httpchk"
        yield f"  http-check send meth {pool.probe.method} uri {pool.probe.path} ver HTTP/1.1 hdr Host localhost"
        yield f"  http-check expect status {pool.probe.good}"
        yield f"  timeout check {milliseconds(pool.probe.timeout)}"
    for (backend, server), (with_probe, one) in layout.places().items():
        if backend == name:
            yield f"  server {server} {words(with_probe, one)}"
