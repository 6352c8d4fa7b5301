"""The lab's cluster as a whole: up, status, down. Each may be repeated, and may follow a crash or a reboot."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.lab import names, processes
from deploy.lab.binaries import ensure_binaries
from deploy.lab.certificates import ensure_certificates, write_kubeconfig
from deploy.lab.controlplane import kubectl_command, start_control_plane
from deploy.lab.coredns import apply_coredns
from deploy.lab.images import make_images
from deploy.lab.names import HUB_ADDRESS, NODES, Lab
from deploy.lab.network import ensure_hub, in_hub, remove_hub
from deploy.lab.node import power_off, remove_cgroups, start_hub_proxy, start_node
from deploy.lab.packages import ensure_packages
from deploy.lab.processes import pid_of, run, spawn, wait_until
from deploy.lab.readiness import await_workload
from deploy.lab.signposts import write_environment
from deploy.lab.temporal import start_temporal
from deploy.lab.workload import apply_workload, prepare_disks

Say = Callable[[str], None]
_NICE_PORTS = {"api": 16443, "temporal": 17233, "ui": 18233, "http": 17243}
_COMPONENTS = ("etcd", "apiserver", "controller-manager", "scheduler", "temporal", "portal", "power", "hub-proxy")


@contextmanager
def timed(say: Say, what: str) -> Iterator[None]:
    """Say ``what`` with the seconds it took."""
    began = time.monotonic()
    yield
    say(f"  {what:<52} {time.monotonic() - began:5.1f} s")


def up(lab: Lab, say: Say = print) -> Path:
    """Bring the cluster up, or repair what is missing; return the folder of its programs."""
    ensure_packages(say)
    binaries = ensure_binaries(say)
    lab.home.mkdir(parents=True, exist_ok=True)
    with timed(say, "certificates, images, hub"):
        ensure_certificates(lab)
        make_images(lab, binaries)
        ensure_hub(lab)
        _choose_ports(lab)
        prepare_disks(lab)
    with timed(say, "control plane"):
        start_control_plane(lab, binaries)
    with timed(say, "Temporal"):
        start_temporal(lab)
    _open_portal(lab)
    spawn(lab, "power", in_hub(lab, sys.executable, "-m", "deploy.lab.power", lab.name))
    write_environment(lab)
    with timed(say, f"{len(NODES)} nodes started"):
        for node in NODES:
            start_node(lab, node, binaries)
    with timed(say, "nodes Ready"):
        wait_until("every node Ready", lambda: ready_nodes(lab, binaries) >= set(NODES), 90)
        start_hub_proxy(lab, binaries, NODES[0])
    with timed(say, "cluster DNS"):
        apply_coredns(lab, binaries)
        run(kubectl_command(lab, binaries, "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s"))
    with timed(say, "PostgreSQL, Redis, sample API and workers ready"):
        apply_workload(lab, binaries)
        await_workload(lab, binaries)
    return binaries


def ready_nodes(lab: Lab, binaries: Path) -> set[str]:
    """Return the nodes that the API server calls Ready."""
    path = "jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=='Ready')].status}{'\\n'}{end}"
    lines = run(kubectl_command(lab, binaries, "get", "nodes", "-o", path), check=False).split()
    return {line.partition("=")[0] for line in lines if line.endswith("=True")}


def status(lab: Lab) -> dict[str, bool]:
    """Return which parts run."""
    parts = [*_COMPONENTS, *(f"{node}-{part}" for node in NODES for part in ("containerd", "kubelet", "proxy"))]
    return {part: pid_of(lab, part) is not None for part in parts}


def must_run(lab: Lab) -> None:
    """Return if anything of the lab runs.

    Raises:
        LabUsageError: nothing does.
    """
    if not any(status(lab).values()):
        raise names.LabUsageError(f"name: no lab {lab.name} runs here; start it with: failover lab up{lab.option}")


def down(lab: Lab, say: Say = print) -> None:
    """Leave nothing behind: no process, mount, namespace, link, cgroup, rule or file of this lab."""
    with timed(say, "processes ended"):
        for node in NODES:
            power_off(lab, node)
        for name in processes.names(lab):
            processes.end(lab, name, force=True)
    with timed(say, "network, cgroups and files removed"):
        for node in NODES:
            remove_cgroups(lab, node)
        remove_hub(lab)
        shutil.rmtree(lab.home, ignore_errors=True)
        if lab.home.parent.is_dir() and not any(lab.home.parent.iterdir()):
            lab.home.parent.rmdir()


def _choose_ports(lab: Lab) -> None:
    path = lab.home / "ports.json"
    if not path.exists():
        path.write_text(json.dumps({name: _free_port(port) for name, port in _NICE_PORTS.items()}), encoding="utf-8")
    write_kubeconfig(lab.kubeconfig, lab.pki, "admin", f"https://127.0.0.1:{lab.ports['api']}")


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise names.LabError("no free port on the loopback interface")


def _open_portal(lab: Lab) -> None:
    far = {"api": names.API_PORT, "temporal": names.TEMPORAL_PORT, "ui": names.UI_PORT, "http": names.TEMPORAL_HTTP_PORT}
    doors = [f"{port}:{HUB_ADDRESS}:{far[name]}" for name, port in lab.ports.items()]
    portal = str(Path(__file__).parent / "portal.py")
    spawn(lab, "portal", [sys.executable, portal, lab.hub_path, *doors])
