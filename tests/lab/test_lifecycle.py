"""Bringing a lab up and down: twice, after a crash, beside another one, and without leaving anything behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from deploy.lab import cluster, processes
from deploy.lab.names import Lab, LabError
from deploy.lab.workload import annotation
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_BRIEF = "brief"


def test_up_twice_changes_nothing(whole: Platform) -> None:
    before = (_pids(whole.lab), _pods(whole))
    cluster.up(whole.lab)
    assert (_pids(whole.lab), _pods(whole)) == before


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            ("apiserver", "temporal", "node-2", "node-1-kubelet", "portal"), id="parts", marks=[pytest.mark.matrix]
        ),
        pytest.param(None, id="all"),
    ],
)
def test_up_repairs_what_a_crash_has_killed(platform: Platform, parts: tuple[str, ...] | None) -> None:
    """Parts of it, and all at once, under load: the machine has lost its power."""
    for name in parts or processes.names(platform.lab):
        pid = processes.pid_of(platform.lab, name)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        processes.wait_until(f"{name} gone", lambda name=name: processes.pid_of(platform.lab, name) is None, 10)  # type: ignore[misc]
    assert not all(cluster.status(platform.lab).values())
    cluster.up(platform.lab)
    platform.settle(200)
    assert all(cluster.status(platform.lab).values())


@pytest.mark.matrix  # test_two_regions.py has two side by side
def test_a_second_lab_comes_and_goes_without_a_trace(whole: Platform) -> None:
    brief = Lab(_BRIEF)
    cluster.down(brief)
    before, leader = _traces(), whole.leader
    try:
        binaries = cluster.up(brief)
        assert annotation(brief, binaries, "leader")
        assert _BRIEF in _traces()
    finally:
        cluster.down(brief)
    assert _traces() == before
    assert not brief.home.exists()
    assert whole.leader == leader


def test_no_lab_address_has_a_way_out_of_this_machine(whole: Platform) -> None:
    """Neither the host nor the hub nor a node knows a default route for lab traffic, and the host no lab route."""
    host = _run("ip", "route", "show", "table", "all")
    assert not re.search(r"\b(172\.30|10\.244|10\.96)\.", host)
    inside = [["nsenter", f"--net={whole.lab.hub_path}"]]
    inside += [["nsenter", "-t", str(processes.pid_of(whole.lab, node)), "-n"] for node in ("node-1", "node-2", "node-3")]
    for way in inside:
        assert "default" not in _run(*way, "ip", "route")


def test_a_node_s_pods_go_before_other_processes_of_the_machine(whole: Platform) -> None:
    """By either version of cgroups: 1024 shares, or a weight of 100, is what one process outside has."""
    group = whole.lab.cgroup("node-1")
    usually = {"cpu.shares": 1024, "cpu.weight": 100}
    beside = [
        int(file.read_text(encoding="utf-8")) / usual
        for name, usual in usually.items()
        for place in ("", "*/")
        for file in Path("/sys/fs/cgroup").glob(f"{place}{group}/{name}")
    ]
    assert beside == [20]


def test_a_name_that_cannot_be_a_namespace_is_refused() -> None:
    with pytest.raises(LabError, match="lower-case"):
        Lab("Not A Name")


def _pids(lab: Lab) -> dict[str, int | None]:
    return {name: processes.pid_of(lab, name) for name in processes.names(lab)}


def _pods(whole: Platform) -> str:
    path = "jsonpath={range .items[*]}{.metadata.uid}{.status.containerStatuses[0].restartCount}{'\\n'}{end}"
    return whole.kubectl("get", "pods", "-o", path)


def _traces() -> str:
    """Return everything on this machine that belongs to the brief lab, and what labs could change for everybody."""
    mounts = [line for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines() if _BRIEF in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/failover-{_BRIEF}-*")]
    groups += [str(path) for path in Path("/sys/fs/cgroup").glob(f"failover-{_BRIEF}-*")]
    names = [name for name in _run("ip", "netns", "list").split() if _BRIEF in name]
    links = re.findall(r"^\d+: ([^:@]+)", _run("ip", "link"), re.MULTILINE)
    rules = [line for line in _run("iptables-save").splitlines() if line.startswith("-A")]
    running = [line for line in _run("ps", "-eo", "args").splitlines() if f"/{_BRIEF}/" in line]
    return "\n".join([*mounts, *groups, *names, *links, *rules, *running])


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
