"""Circumstances in which a failover may find a member, while a test wants them: other pods, a full disk, a crowd."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deploy.lab import processes
from deploy.lab.names import NODES
from deploy.lab.network import in_hub
from deploy.lab.node import in_node
from deploy.lab.processes import run, wait_until
from deploy.lab.workload import secret_of
from tests.lab.platform import Platform

DISK_BYTES = 600 * 1024 * 1024


@contextmanager
def patched(platform: Platform, pod: dict[str, Any]) -> Iterator[None]:
    """Change the pods of both StatefulSets, one after the other, and change them back at the end."""
    sets = [f"statefulset/{member.removesuffix('-0')}" for member in (platform.candidate, platform.old)]
    body = json.dumps({"spec": {"template": {"spec": pod}}})
    try:
        for one in sets:
            platform.kubectl("patch", one, "-p", body)
            platform.kubectl("rollout", "status", one, "--timeout=120s")
        platform.settle(200)
        platform.look()
        yield
    finally:
        for one in sets:
            platform.kubectl("rollout", "undo", one)
            platform.kubectl("rollout", "status", one, "--timeout=120s")
        platform.settle(200)


@contextmanager
def small_disk(platform: Platform, member: str) -> Iterator[None]:
    """Give a member a disk of its own that can be filled: a file system in a file, mounted on every node."""
    disk, image = platform.lab.disks / member, platform.lab.home / "small-disk.img"
    statefulset = f"statefulset/{member.removesuffix('-0')}"
    platform.kubectl("scale", statefulset, "--replicas=0")
    wait_until("pod gone", lambda: member not in platform.pods("postgresql", leaving=True), 90)
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    run(["mkfs.ext4", "-q", "-F", str(image)])
    device = run(["losetup", "--find", "--show", str(image)]).strip()
    inside = f"/run/lab/disks/{member}"
    holders = [holder for node in NODES if (holder := processes.pid_of(platform.lab, node))]
    try:
        for number, holder in enumerate(holders):
            run(in_node(holder, "mount", device, inside))
            if number == 0:
                run(in_node(holder, "sh", "-c", f"rm -rf {inside}/lost+found; chown --reference={disk} {inside} || true"))
                owner = run(["stat", "-c", "%u:%g", str(disk)]).strip()
                run(in_node(holder, "sh", "-c", f"chown {owner} {inside} && chmod 700 {inside}"))
        _back(platform, statefulset)
        yield
    finally:
        platform.kubectl("scale", statefulset, "--replicas=0")
        wait_until("pod gone", lambda: member not in platform.pods("postgresql", leaving=True), 90)
        for holder in holders:
            run(in_node(holder, "umount", inside), check=False)
        run(["losetup", "--detach", device], check=False)
        image.unlink(missing_ok=True)
        _back(platform, statefulset)


def _back(platform: Platform, statefulset: str) -> None:
    platform.kubectl("scale", statefulset, "--replicas=1")
    platform.kubectl("rollout", "status", statefulset, "--timeout=120s")
    platform.settle(200)


@contextmanager
def crowd(platform: Platform, number: int) -> Iterator[None]:
    """Hold ``number`` open connections to the leader, one of them inside a transaction, until the end."""
    address = platform.kubectl("get", "pod", platform.old, "-o", "jsonpath={.status.podIP}")
    password = secret_of(platform.lab, "postgresql-passwords", "application")
    script = (
        "import psycopg, sys, time\n"
        f"all = [psycopg.connect(host='{address}', user='app', dbname='aiagent_prod', password=sys.argv[1])"
        f" for _ in range({number})]\n"
        "all[0].execute('create temp table held (n int)')\n"
        "print('ready', flush=True)\n"
        "time.sleep(120)\n"
    )
    crowd = subprocess.Popen(in_hub(platform.lab, sys.executable, "-c", script, password), stdout=subprocess.PIPE, text=True)
    assert crowd.stdout is not None
    assert crowd.stdout.readline().strip() == "ready"
    try:
        yield
    finally:
        crowd.kill()
        crowd.wait()
