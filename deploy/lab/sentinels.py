"""What the lab's Sentinels say, asked from inside one of their pods with the shipped shell functions."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.lab.names import Lab
from deploy.lab.workload import SENTINELS, kubectl

_MASTER = '. /etc/redis/settings/common.sh; majority "$(names)"'
_LOOK = """
. /etc/redis/settings/common.sh
server=$(majority "$(names)")
ask "$server" 6379 info replication | tr -d '\\r' | grep -c '^slave[0-9]*:.*state=online'
for sentinel in $SENTINELS; do
  ask "$sentinel" 26379 sentinel ckquorum "$MASTER"
  ask "$sentinel" 26379 --json sentinel replicas "$MASTER"
done
"""


def redis_master(lab: Lab, binaries: Path) -> str:
    """Return the server that a majority of the Sentinels names; empty when none does."""
    return _told(lab, binaries, _MASTER).strip()


def redis_is_redundant(lab: Lab, binaries: Path) -> bool:
    """Return whether both replicas follow the master and every Sentinel sees a quorum and somebody whom it could elect.

    A Sentinel looks at a replica once in ten seconds, so that it may be some time behind in what it knows.
    """
    online, *views = _told(lab, binaries, _LOOK).splitlines() or [""]
    quorums = [line for line in views if line.startswith("OK 3 usable Sentinels")]
    replicas = [json.loads(line) for line in views if line.startswith("[")]
    electable = [any(_is_electable(one) for one in known) for known in replicas]
    return online == "2" and len(quorums) == len(electable) == len(SENTINELS) and all(electable)


def _is_electable(replica: dict[str, str]) -> bool:
    link, priority = replica["master-link-status"], replica["slave-priority"]
    return link == "ok" and priority != "0" and "down" not in replica["flags"]


def _told(lab: Lab, binaries: Path, script: str) -> str:
    """Return what a script says in the first Sentinel's pod that runs it."""
    for pod in SENTINELS:
        told = kubectl(lab, binaries, "exec", "--request-timeout=5s", pod, "--", "sh", "-c", script, check=False)
        if told.strip():
            return told
    return ""
