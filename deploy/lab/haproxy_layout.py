"""What one HAProxy is to do: entries that take requests, and pools of servers that answer them.

Priorities are real: a pool is one HAProxy backend for each priority, ``POOL.1`` to ``POOL.5``, and a request goes to the
lowest one in which HAProxy's own probes leave a server. ``POOL.0`` takes what no priority takes: all servers in turn where
``turns`` says so, nobody (502) otherwise. A layout is written as a configuration file once. A later one is reached by
commands on the runtime socket, as long as only routes, servers, priorities and weights differ: no connection ends by them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

NOBODY = "none"
"""The pool of an entry without one: 503."""
PRIORITIES = range(1, 6)
ANY = 0
_UP = ("UP", "no check")
Place = tuple[str, str]
"""Backend and server, as HAProxy's commands name them."""


@dataclass(frozen=True)
class Probe:
    """How HAProxy asks each server: ``seconds`` between two questions, ``timeout`` in seconds for an answer."""

    path: str
    seconds: float
    timeout: float
    fall: int
    """So many bad answers in a row: the server gets no more requests."""
    rise: int
    """So many good ones in a row: it gets them again."""
    good: str = "200"
    """Statuses and ranges of them, by commas."""
    method: str = "GET"


@dataclass(frozen=True)
class Server:
    """``address`` is HOST:PORT; ``weight`` 1 to 256 divides requests among servers of one priority."""

    address: str
    priority: int = 1
    weight: int = 100


@dataclass(frozen=True)
class Pool:
    """Servers by name. Without ``probe`` all of them are taken for healthy."""

    servers: Mapping[str, Server]
    probe: Probe | None = None
    turns: bool = False


@dataclass(frozen=True)
class Entry:
    """Where requests come in, HOST:PORT, and the pool that they are led to."""

    address: str
    pool: str = NOBODY


@dataclass(frozen=True)
class Layout:
    """Entries and pools by name."""

    entries: Mapping[str, Entry]
    pools: Mapping[str, Pool] = field(default_factory=dict)

    def places(self) -> dict[Place, tuple[Pool, Server]]:
        """Return every server at every place that it has."""
        found = {}
        for name, pool in self.pools.items():
            for server, one in pool.servers.items():
                found[f"{name}.{one.priority}", server] = pool, one
                if pool.turns:
                    found[f"{name}.{ANY}", server] = Pool({}, None), one
        return found


@dataclass(frozen=True)
class Seen:
    """One server as HAProxy's ``show stat`` tells: what its probes have made of it, and the last one's answer."""

    status: str
    """UP, DOWN, MAINT, "no check"; while it changes with a count, such as UP 1/2."""
    check: str
    """L7OK, L7STS, L4CON and so on; INI before the first."""
    code: int
    """The HTTP status of the last probe; 0 for one without."""

    @classmethod
    def of(cls, row: Mapping[str, str]) -> Self:
        """Read one line of ``show stat``."""
        return cls(row["status"], row["check_status"].lstrip("* "), int(row["check_code"] or 0))

    @property
    def is_up(self) -> bool | None:
        """Whether it gets requests; None before the first probe has ended."""
        return None if self.check == "INI" else self.status.startswith(_UP)


@dataclass(frozen=True)
class Change:
    """Commands in their order, then the servers to take out, which takes until their last request has ended."""

    commands: tuple[str, ...]
    removed: tuple[Place, ...]


def change(before: Layout, after: Layout, routes: Path) -> Change | None:
    """Return how the runtime socket gets from one layout to another; None where it cannot: that takes another process.

    ``routes`` is the file that the map from entries to pools was read from.
    """
    if _fixed(before) != _fixed(after):
        return None
    was, will = before.places(), after.places()
    if any(was[one][1].address != will[one][1].address for one in was.keys() & will.keys()):
        return None
    commands = [command for one in will if one not in was for command in _added(one, *will[one])]
    for backend, server in was.keys() & will.keys():
        if (weight := will[backend, server][1].weight) != was[backend, server][1].weight:
            commands.append(f"set server {backend}/{server} weight {weight}")
    for name, entry in after.entries.items():
        if entry.pool != before.entries[name].pool:
            commands.append(f"set map {routes} {name} {entry.pool}")
    return Change(tuple(commands), tuple(one for one in was if one not in will))


def serving(seen: Mapping[Place, Seen]) -> dict[str, str]:
    """Return the backend that takes each pool's requests: the lowest priority with a server that is up."""
    up = sorted((backend for (backend, _), one in seen.items() if one.status.startswith(_UP)), reverse=True)
    return {backend.rpartition(".")[0]: backend for backend in up if not backend.endswith(f".{ANY}")}


def _fixed(layout: Layout) -> object:
    """Return what no command changes."""
    pools = {name: (one.probe, one.turns) for name, one in layout.pools.items()}
    return pools, {name: one.address for name, one in layout.entries.items()}


def _added(place: Place, pool: Pool, server: Server) -> Iterator[str]:
    name = "/".join(place)
    yield f"add server {name} {words(pool, server)}"
    if pool.probe:
        yield f"enable health {name}"
    yield f"enable server {name}"


def words(pool: Pool, server: Server) -> str:
    """Return a server as configuration and commands describe it."""
    told, probe = f"{server.address} weight {server.weight}", pool.probe
    return f"{told} check inter {milliseconds(probe.seconds)} fall {probe.fall} rise {probe.rise}" if probe else told


def milliseconds(seconds: float) -> int:
    """Return what HAProxy takes; 0 would be forbidden."""
    return max(1, round(seconds * 1000))
