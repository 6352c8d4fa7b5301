"""Recognises Redis masters with their Sentinels: by image and port, and by what the Sentinels' settings say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from starters.init.guesses import Guess
from starters.init.podsets import PodSet, environment_of, file_in, image_of, path_of, ports_of, program_of
from starters.init.postgres import NO_SERVER
from starters.init.seen import Seen

PORT, SENTINEL_PORT = 6379, 26379
PASSWORD = "file:/var/run/secrets/failover/redis/password"  # noqa: S105 - where it is
_SERVER = re.compile(r"redis|valkey|keydb")
_MASTER = re.compile(
    r"^\s*sentinel\s+(?:monitor|down-after-milliseconds|failover-timeout|parallel-syncs)\s+([A-Za-z0-9_][-\w.]*)",
    re.MULTILINE,
)
_VARIABLES = ("REDIS_MASTER_SET", "REDIS_SENTINEL_MASTER_SET", "REDIS_MASTER_NAME", "SENTINEL_MASTER", "MASTER_NAME")
_LEAST_SERVERS, _LEAST_SENTINELS = 2, 3


@dataclass(frozen=True)
class FoundRedis:
    """One master name as it looks from outside."""

    key: str
    master: Guess
    servers: Guess
    sentinels: Guess
    password: Guess


def redis_of(seen: Seen, worker: PodSet | None) -> tuple[list[FoundRedis], list[str]]:
    """Return the masters, and a sentence for each Redis that cannot fail over."""
    serving = [one for one in seen.stateful if _has(one, PORT, sentinel=False)]
    watching = [one for one in seen.stateful if _has(one, SENTINEL_PORT, sentinel=True)]
    found, left = list[FoundRedis](), list[str]()
    for one in serving:
        sentinels = _of(one, serving, watching)
        if sentinels is None or len(sentinels.pods) < _LEAST_SENTINELS or len(one.pods) < _LEAST_SERVERS:
            number = len(sentinels.pods) if sentinels else 0
            left.append(
                f"Redis {one.name} has {len(one.pods)} server(s) and {number} Sentinel(s); redis-failover needs"
                f" {_LEAST_SERVERS} and {_LEAST_SENTINELS}"
            )
            continue
        found.append(_deployment(one, sentinels, seen, worker))
    return found, left


def _has(one: PodSet, port: int, *, sentinel: bool) -> bool:
    for container in one.containers:
        image, ports = image_of(container), ports_of(container)
        if NO_SERVER.search(image):
            continue
        named = bool(_SERVER.search(image))
        watches = SENTINEL_PORT in ports or "sentinel" in f"{image} {program_of(container)} {container.get('name')}"
        if port in ports or (named and watches is sentinel):
            return True
    return False


def _of(one: PodSet, serving: list[PodSet], watching: list[PodSet]) -> PodSet | None:
    """Return the Sentinels of a set of servers: in its own pods, else those whose name begins most like its own."""
    if one in watching:
        return one
    alone = [other for other in watching if other not in serving]
    mine = [other for other in alone if max(serving, key=lambda each: _common(each.name, other.name)).name == one.name]
    return max(mine, key=lambda other: _common(one.name, other.name), default=None)


def _common(one: str, other: str) -> int:
    return len([*takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))])


def _deployment(one: PodSet, sentinels: PodSet, seen: Seen, worker: PodSet | None) -> FoundRedis:
    return FoundRedis(
        key=one.name,
        master=_master(sentinels, seen),
        servers=Guess(one.pods, f"StatefulSet {one.name}: {_looks(one)}", sure=True),
        sentinels=Guess(sentinels.pods, f"StatefulSet {sentinels.name}: port {SENTINEL_PORT}", sure=True),
        password=_password(one, worker),
    )


def _looks(one: PodSet) -> str:
    container = one.containers[0]
    return f"port {PORT}" if PORT in ports_of(container) else f"image {image_of(container)}"


def _master(sentinels: PodSet, seen: Seen) -> Guess:
    for volume in sentinels.spec.get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name") or ""
        for file, text in seen.settings.get(name, {}).items():
            if (line := _MASTER.search(text)) is not None:
                return Guess(line[1], f"{file} in ConfigMap {name}", sure=True)
    for container in sentinels.containers:
        found = environment_of(container, seen.settings)
        for variable in _VARIABLES:
            if found.get(variable):
                return Guess(found[variable], f"{variable} of StatefulSet {sentinels.name}", sure=True)
    return Guess("mymaster", "the name that Sentinel's own example has; nothing else was seen")


def _password(one: PodSet, worker: PodSet | None) -> Guess:
    """Return where workers have the password, by the Secret that servers mount."""
    for container in one.containers:
        for mount in container.get("volumeMounts") or ():
            for key in ("password", "redis-password"):
                held = file_in(one.spec, f"{mount['mountPath'].rstrip('/')}/{key}")
                found = path_of(worker.spec, held) if held and worker else None
                if held and worker and found:
                    return Guess(f"file:{found}", f"Secret {held.secret}, mounted by Deployment {worker.name}", sure=True)
    return Guess(PASSWORD, "where the shipped manifests have it in workers")
