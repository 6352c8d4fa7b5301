"""What a failover costs each kind of client, on real servers that are processes of this machine (loopback, no Kubernetes).

    python benchmarks/clients.py --rounds 5

In each round all kinds write side by side, a number every 20 ms, while the master or primary is moved, killed or frozen.
The outage is the longest time without an acknowledged write; lost are acknowledged numbers that the new master does not
have. Redis runs with the shipped settings. Whoever has not written again after 20 s is shown as ``> …``. Writes
``clients.json`` and ``clients.md`` in ``benchmarks/results``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from client_kinds import POSTGRES, REDIS

from tests.clients.postgres_pair import PostgresPair, running_pair, template
from tests.clients.redis_cluster import NAME, SENTINELS, RedisCluster, running_redis
from tests.clients.writers import Written, writing

_RESULTS = Path(__file__).parent / "results"
_EVERY, _STEADY_SECONDS, _PATIENCE_SECONDS = 0.02, 2.0, 20.0
_FROZEN_SECONDS = 0.3


async def _planned(redis: RedisCluster) -> None:
    await redis.move_planned()


async def _released_first(redis: RedisCluster) -> None:
    await redis.move_planned(release_first=True)


async def _plain(redis: RedisCluster) -> None:
    await redis.tell(SENTINELS[0], "SENTINEL", "FAILOVER", NAME)
    await redis.until(lambda: _leads(redis, "redis-1", "redis-2"))
    await redis.until(lambda: _follows(redis, "redis-0"), 30)


async def _follows(redis: RedisCluster, server: str) -> bool:
    return await redis.role(server) == "slave"


async def _leads(redis: RedisCluster, *servers: str) -> bool:
    return any([await redis.role(server) == "master" for server in servers])


async def _killed(redis: RedisCluster) -> None:
    redis.signal("redis-0", signal.SIGKILL)
    await redis.until(lambda: _leads(redis, "redis-1", "redis-2"))


async def _frozen(redis: RedisCluster) -> None:
    redis.signal("redis-0", signal.SIGSTOP)
    await redis.until(lambda: _leads(redis, "redis-1", "redis-2"))


async def _stopped_primary(pair: PostgresPair) -> None:
    await pair.stop_primary()
    await pair.promote()


async def _killed_primary(pair: PostgresPair) -> None:
    pair.kill_primary()
    await pair.promote()


async def _frozen_primary(pair: PostgresPair) -> None:
    pair.freeze()
    await asyncio.sleep(_FROZEN_SECONDS)
    await pair.promote()


_REDIS_WAYS: dict[str, Callable[[RedisCluster], Awaitable[None]]] = {
    "moved by the operator": _planned,
    "the same, held-back writes refused before sessions end": _released_first,
    "`SENTINEL FAILOVER` alone": _plain,
    "killed": _killed,
    "frozen": _frozen,
}
_POSTGRES_WAYS: dict[str, Callable[[PostgresPair], Awaitable[None]]] = {
    "stopped, standby promoted": _stopped_primary,
    "killed, standby promoted at once": _killed_primary,
    f"frozen, standby promoted after {_FROZEN_SECONDS} s": _frozen_primary,
}


@asynccontextmanager
async def _all_writing(system: Any, kinds: Mapping[str, Any]) -> AsyncIterator[dict[str, Written]]:  # noqa: ANN401 - either
    async with AsyncExitStack() as stack:
        puts = {name: await stack.enter_async_context(kind(system, name)) for name, kind in kinds.items()}
        yield {name: await stack.enter_async_context(writing(put, every=_EVERY)) for name, put in puts.items()}


async def _measured(written: dict[str, Written], move: Awaitable[None]) -> dict[str, dict[str, Any]]:
    """Return per kind what it saw, once all of them write again or time is up."""
    await asyncio.sleep(_STEADY_SECONDS)
    await move
    moved = time.monotonic()
    while time.monotonic() < moved + _PATIENCE_SECONDS and not all(one.last > moved + 0.2 for one in written.values()):
        await asyncio.sleep(0.05)
    now = time.monotonic()
    found = {}
    for name, one in written.items():
        goes_on = one.last > moved
        outage = one.outage if goes_on else now - one.last
        found[name] = {"outage": round(outage, 4), "goes_on": goes_on}
    return found


def _counted(
    found: dict[str, dict[str, Any]], written: dict[str, Written], there: dict[str, set[int]]
) -> list[dict[str, Any]]:
    for name, one in written.items():
        lost = set(one.acknowledged) - there[name]
        found[name] |= {"acknowledged": len(one.acknowledged), "lost": len(lost), "errors": dict(one.errors)}
    return [{"client": name, **values} for name, values in found.items()]


async def _redis_round(folder: Path, way: str) -> list[dict[str, Any]]:
    async with running_redis(folder, down_after=None, min_replicas=1) as redis:
        async with _all_writing(redis, REDIS) as written:
            found = await _measured(written, _REDIS_WAYS[way](redis))
            if redis.processes["redis-0"].poll() is None:
                redis.signal("redis-0", signal.SIGCONT)
        (master,) = [name for name in ("redis-1", "redis-2") if await redis.role(name) == "master"]
        there = {name: {int(one) for one in await redis.tell(master, "SMEMBERS", name)} for name in REDIS}
    return _counted(found, written, there)


async def _postgres_round(made: Path, folder: Path, way: str) -> list[dict[str, Any]]:
    async with running_pair(made, folder) as pair:
        async with _all_writing(pair, POSTGRES) as written:
            found = await _measured(written, _POSTGRES_WAYS[way](pair))
            pair.kill_primary()
        rows = await pair.sql("pg-1", "select writer, number from numbers")
    there = {name: {number for writer, number in rows if writer == name} for name in POSTGRES}
    return _counted(found, written, there)


async def _rounds(rounds: int) -> list[dict[str, Any]]:
    home = Path(tempfile.mkdtemp(prefix="clients-"))
    made, runs = await template(_folder(home, "template")), list[dict[str, Any]]()
    try:
        for number in range(rounds):
            for way in (*_REDIS_WAYS, *_POSTGRES_WAYS):
                folder = _folder(home, "round")
                one = _redis_round(folder, way) if way in _REDIS_WAYS else _postgres_round(made, folder, way)
                runs += [{"way": way, "round": number, "load": os.getloadavg()[0], **client} for client in await one]
                print(f"round {number + 1}, {way}: " + ", ".join(f"{run['outage']:.2f} s" for run in runs[-4:]), flush=True)
                shutil.rmtree(folder)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return runs


def _folder(home: Path, name: str) -> Path:
    home.chmod(0o755)
    (home / name).mkdir()
    return home / name


def _table(title: str, ways: Mapping[str, object], runs: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"## {title}",
        "",
        "| what happened | client | outage, ms | lost of acknowledged | errors per round |",
        "|---|---|---|---|---|",
    ]
    for way in ways:
        for client in dict.fromkeys(run["client"] for run in runs if run["way"] == way):
            mine = [run for run in runs if (run["way"], run["client"]) == (way, client)]
            acknowledged = sum(run["acknowledged"] for run in mine)
            lost = f"{sum(run['lost'] for run in mine)} of {acknowledged}"
            lines.append(f"| {way} | {client} | {_outage(mine)} | {lost} | {_errors(mine)} |")
    return [*lines, ""]


def _outage(runs: list[dict[str, Any]]) -> str:
    values = sorted(run["outage"] * 1000 for run in runs)
    more = "" if all(run["goes_on"] for run in runs) else "> "
    return f"{values[0]:.0f} / {median(values):.0f} / {more}{values[-1]:.0f}"


def _errors(runs: list[dict[str, Any]]) -> str:
    total: dict[str, int] = {}
    for run in runs:
        for kind, number in run["errors"].items():
            total[kind] = total.get(kind, 0) + number
    return ", ".join(f"{number / len(runs):.1f} {kind}" for kind, number in sorted(total.items())) or "none"


def _document(runs: list[dict[str, Any]], rounds: int) -> str:
    load = [run["load"] for run in runs]
    head = [
        "# What a failover costs each kind of client", "",
        f"{rounds} rounds, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, load average "
        f"{min(load):.0f} to {max(load):.0f}; servers and clients are processes of one machine, on loopback addresses. "
        "Milliseconds, min / median / max.", "",
    ]  # fmt: skip
    return "\n".join([*head, *_table("Redis", _REDIS_WAYS, runs), *_table("PostgreSQL", _POSTGRES_WAYS, runs)])


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="print only; leave the results as they are")
    asked = parser.parse_args()
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    runs = asyncio.run(_rounds(asked.rounds))
    text = _document(runs, asked.rounds)
    print(text)
    if not asked.dry:
        (_RESULTS / "clients.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        (_RESULTS / "clients.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
