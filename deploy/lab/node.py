"""A lab node: network, mount, process and host-name namespaces of its own, with containerd, kubelet and kube-proxy.

The node's first process holds the namespaces. Killing it is a power cut: the kernel ends every process of the node at
once, and its mounts and its end of the cable go with it. What a real node keeps on its disk (``/var/lib``, ``/var/log``)
is a directory of the lab's home; what it loses at power-off (``/run``) is a tmpfs.
"""

from __future__ import annotations

import json
import signal
import subprocess
from os import kill
from pathlib import Path

from deploy.lab import processes
from deploy.lab.names import DNS_ADDRESS, POD_RANGE, Lab, LabError, node_address, pod_range
from deploy.lab.network import in_hub, link_node
from deploy.lab.patience import go_before_others
from deploy.lab.processes import pid_of, remember, run, spawn, wait_until
from deploy.lab.product import shown

_INIT = 'mount --make-rshared / && hostname "$0" && touch "$1" && while :; do sleep 3600 & wait $!; done'
_KUBELET_STARTS, _SERVES_WITHIN_SECONDS, _POWERED_WITHIN_SECONDS = 20, 60.0, 30.0
_KUBELET_PORT = 10250
_LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""
_IMAGES = ("userland.tar", "pause.tar")


def in_node(holder: int, *command: str) -> list[str]:
    """Return ``command`` as it must be run to be inside the node; it ends when what runs it here is killed."""
    inside = ["nsenter", f"--target={holder}", "--net", "--mount", "--pid", "--uts", "--"]
    return [*inside, "setpriv", "--pdeathsig", "KILL", *command]


def start_node(lab: Lab, node: str, binaries: Path) -> None:
    """Start the node, or what is missing of it."""
    holder = pid_of(lab, node) or _power_on(lab, node)
    spawn(lab, f"{node}-containerd", in_node(holder, "containerd", "--config", str(_containerd_config(lab, node))))
    wait_until(f"containerd on {node} answering", lambda: _containerd_answers(holder), 20)
    _import_images(lab, node, holder)
    kubelet = [
        str(binaries / "kubelet"),
        f"--config={_kubelet_config(lab, node)}",
        f"--kubeconfig={lab.pki / f'{node}.kubeconfig'}",
        f"--hostname-override={node}",
        f"--node-ip={node_address(node)}",
    ]
    _start_kubelet(lab, f"{node}-kubelet", in_node(holder, *kubelet), holder)
    config = _proxy_config(lab, node, lab.node_home(node) / "proxy.json")
    spawn(lab, f"{node}-proxy", in_node(holder, str(binaries / "kube-proxy"), f"--config={config}"))


def _start_kubelet(lab: Lab, name: str, command: list[str], holder: int) -> None:
    """Return once the kubelet serves; start it again when it ends: a containerd that answers may not serve kubelets yet.

    LabError: it ends, or does not serve.
    """
    for _ in range(_KUBELET_STARTS):
        spawn(lab, name, command)
        wait_until(
            f"{name} serving", lambda: _listens(holder, _KUBELET_PORT) or pid_of(lab, name) is None, _SERVES_WITHIN_SECONDS
        )
        if pid_of(lab, name) is not None:
            return
    raise LabError(f"{name} ends whenever it is started; see {name}.log in the lab's logs")


def _listens(holder: int, port: int) -> bool:
    """Whether anybody listens on ``port`` inside the node."""
    tables = [Path(f"/proc/{holder}/net/{table}") for table in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    return any(one[1].endswith(f":{port:04X}") and one[3] == _LISTEN for one in sockets)


def power_off(lab: Lab, node: str) -> None:
    """Cut the node's power: every process on it is gone at once."""
    holder = pid_of(lab, node)
    if holder is not None:
        kill(holder, signal.SIGKILL)
    for name in (node, f"{node}-containerd", f"{node}-kubelet", f"{node}-proxy"):
        processes.end(lab, name, force=True)


def start_hub_proxy(lab: Lab, binaries: Path, node: str) -> None:
    """Make service addresses usable inside the hub; kube-proxy must be told the name of a real node."""
    config = _proxy_config(lab, node, lab.home / "hub-proxy.json")
    spawn(lab, "hub-proxy", in_hub(lab, str(binaries / "kube-proxy"), f"--config={config}"))


def _power_on(lab: Lab, node: str) -> int:
    # unshare waits until the last process of the node that it held has gone, and would be taken for the new one's
    for name in (f"{node}-containerd", f"{node}-kubelet", f"{node}-proxy", f"{node}-unshare"):
        processes.end(lab, name, force=True)
    home = lab.node_home(node)
    for folder in ("lib", "log"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    ready = home / "powered"
    ready.unlink(missing_ok=True)
    mounts = f"mount --bind {home}/lib /var/lib && mount --bind {home}/log /var/log && mount -t tmpfs tmpfs /run && "
    mounts += "".join(f"mkdir -p {inside} && mount --bind {outside} {inside} && " for inside, outside in shown(lab).items())
    namespaces = ["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    outer = spawn(lab, f"{node}-unshare", ["unshare", *namespaces, "bash", "-c", mounts + _INIT, node, str(ready)])
    wait_until(f"{node} powered on", ready.exists, _POWERED_WITHIN_SECONDS)
    holder = int(Path(f"/proc/{outer}/task/{outer}/children").read_text(encoding="utf-8").split()[0])
    remember(lab, node, holder)
    remove_cgroups(lab, node)  # a machine that boots has none, and a kubelet that finds some looks at each for 3 s
    _make_cgroups(lab, node)
    link_node(lab, node, holder)
    return holder


def _containerd_answers(holder: int) -> bool:
    return subprocess.run(in_node(holder, "ctr", "version"), capture_output=True, check=False).returncode == 0


def _import_images(lab: Lab, node: str, holder: int) -> None:
    mark = lab.node_home(node) / "images-imported"
    if mark.exists():
        return
    for image in _IMAGES:
        run(in_node(holder, "ctr", "--namespace", "k8s.io", "images", "import", str(lab.home / "images" / image)))
    mark.touch()


def _containerd_config(lab: Lab, node: str) -> Path:
    home = lab.node_home(node)
    network = {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": pod_range(node)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": "/run/cni-addresses",
                },
            }
        ],
    }
    folder = home / "cni"
    folder.mkdir(exist_ok=True)
    _as_json(folder / "10-lab.conflist", network)
    config = home / "containerd.toml"
    config.write_text(
        f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "failover.lab/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}"
""",
        encoding="utf-8",
    )
    return config


def _kubelet_config(lab: Lab, node: str) -> Path:
    resolver = lab.node_home(node) / "resolv.conf"
    resolver.write_text("", encoding="utf-8")
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"x509": {"clientCAFile": str(lab.pki / "ca.crt")}, "anonymous": {"enabled": False}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(lab.pki / f"{node}.crt"),
        "tlsPrivateKeyFile": str(lab.pki / f"{node}.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{lab.cgroup(node)}",
        "failCgroupV1": False,
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(resolver),
        "failSwapOn": False,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "protectKernelDefaults": False,
        "registerWithTaints": [],
    }
    return _as_json(lab.node_home(node) / "kubelet.json", config)


def _proxy_config(lab: Lab, node: str, path: Path) -> Path:
    """Write kube-proxy's configuration: its defaults, as users have them, but for sysctls that are the host's."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": node,
        "clientConnection": {"kubeconfig": str(lab.pki / "proxy.kubeconfig")},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    return _as_json(path, config)


def _as_json(path: Path, content: object) -> Path:
    """Write if it differs: kube-proxy ends itself when its file is touched."""
    text = json.dumps(content, indent=1)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


def _hierarchies() -> list[Path]:
    """Return where cgroups can be made: each version 1 hierarchy, or the one of version 2."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink() and (path / "tasks").exists()]


def _make_cgroups(lab: Lab, node: str) -> None:
    for hierarchy in _hierarchies():
        folder = hierarchy / lab.cgroup(node)
        folder.mkdir(exist_ok=True)
        if hierarchy.name == "cpuset":
            for file in ("cpuset.cpus", "cpuset.mems"):
                (folder / file).write_text((hierarchy / file).read_text(encoding="utf-8"), encoding="utf-8")
        if (folder / "cgroup.subtree_control").exists() and (hierarchy / "cgroup.controllers").exists():
            wanted = " ".join(f"+{one}" for one in (hierarchy / "cgroup.controllers").read_text(encoding="utf-8").split())
            for parent in (hierarchy, folder):
                (parent / "cgroup.subtree_control").write_text(wanted, encoding="utf-8")
        go_before_others(folder)


def remove_cgroups(lab: Lab, node: str) -> None:
    """Remove the node's cgroups; they are empty once its processes are gone."""
    for hierarchy in [*_hierarchies(), Path("/sys/fs/cgroup/unified")]:
        folder = hierarchy / lab.cgroup(node)
        if folder.is_dir():
            for child in sorted((path for path in folder.rglob("*") if path.is_dir()), key=lambda p: -len(p.parts)):
                wait_until(f"cgroup {child} empty", lambda child=child: _removed(child), 10)  # type: ignore[misc]
            wait_until(f"cgroup {folder} empty", lambda folder=folder: _removed(folder), 10)  # type: ignore[misc]


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
