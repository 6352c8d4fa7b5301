"""Redis's settings and start scripts as files of the chart: the names in them become what the estate says.

A name that the scripts get later and that is not listed here would stay the example's. So the names are searched afterwards.
"""

from __future__ import annotations

import re

_REPLACED = {
    "common.sh": {
        "MASTER=mymaster": "MASTER={{ $n.master }}",
        'SERVERS="redis-0 redis-1 redis-2"': 'SERVERS="{{ join " " $n.servers }}"',
        'SENTINELS="redis-sentinel-0 redis-sentinel-1 redis-sentinel-2"': 'SENTINELS="{{ join " " $n.sentinels }}"',
        "MAJORITY=2": "MAJORITY={{ add1 (div (len $n.sentinels) 2) }}",
        "redis-0 -> $REDIS_0_SERVICE_HOST, which the kubelet takes from the Service redis-0":
            '{{ $n.redisSet }}-0 -> ${{ include "failover.variable" $n.redisSet }}_0_SERVICE_HOST, '
            "which the kubelet takes from the Service {{ $n.redisSet }}-0",
        "redis-sentinel-*)": "{{ $n.sentinelSet }}-*)",
        "found=REDIS_SENTINEL_$": 'found={{ include "failover.variable" $n.sentinelSet }}_$',
        "found=REDIS_$": 'found={{ include "failover.variable" $n.redisSet }}_$',
    },
    "start-redis.sh": {
        '"redis-1=electable redis-2=silent"': '"{{ $n.redisSet }}-1=electable {{ $n.redisSet }}-2=silent"'
    },
    "start-sentinel.sh": {" mymaster ": " {{ $n.master }} "},
    "sentinel.conf": {" mymaster ": " {{ $n.master }} "},
}  # fmt: skip
_EXAMPLE = re.compile(r"mymaster|\bredis-(sentinel-)?[0-9*]|REDIS_(SENTINEL_)?[$0-9]")
_HEAD = '{{- $n := include "failover.names" . | fromYaml -}}\n'


def files(settings: dict[str, str]) -> dict[str, str]:
    """Return path in the chart → text. Those with names of the example are templates.

    Raises:
        ValueError: a name is not replaced, or is no longer where it was.
    """
    found = {}
    for name, text in settings.items():
        replaced = text
        for old, new in _REPLACED.get(name, {}).items():
            if old not in replaced:
                raise ValueError(f"{name} of the base no longer has {old!r}: see deploy/helm/settings.py")
            replaced = replaced.replace(old, new)
        if left := _EXAMPLE.search(re.sub(r"\{\{.*?\}\}", "", replaced)):
            raise ValueError(f"{name} of the base has the name {left[0]!r}, which deploy/helm/settings.py does not replace")
        found[f"files/redis/{name}"] = (_HEAD if replaced != text else "") + replaced
    return found
