"""etcd, API server, controller manager and scheduler, inside the hub, with the flags that production has."""

from __future__ import annotations

from pathlib import Path

from deploy.lab.names import API_PORT, HUB_ADDRESS, POD_RANGE, SERVICE_RANGE, Lab
from deploy.lab.network import in_hub
from deploy.lab.processes import run, spawn, wait_until


def start_control_plane(lab: Lab, binaries: Path) -> None:
    """Start what does not run; return when the API server says that it is ready."""
    for name, command in _commands(lab, binaries).items():
        spawn(lab, name, in_hub(lab, *command))
        if name == "apiserver":
            wait_until("the API server answering", lambda: api_ready(lab, binaries), 60)


def api_ready(lab: Lab, binaries: Path) -> bool:
    """Whether the API server says that it is ready."""
    return "ok" in run(kubectl_command(lab, binaries, "get", "--raw", "/readyz", "--request-timeout=2s"), check=False)


def kubectl_command(lab: Lab, binaries: Path, *arguments: str) -> list[str]:
    """Return the command line of kubectl as administrator, from inside the hub."""
    kubectl, config = binaries / "kubectl", lab.pki / "admin.kubeconfig"
    cache = lab.home / "kubectl-cache"
    return in_hub(lab, str(kubectl), f"--kubeconfig={config}", f"--cache-dir={cache}", *arguments)


def _commands(lab: Lab, binaries: Path) -> dict[str, list[str]]:
    pki = lab.pki
    return {
        "etcd": [
            str(binaries / "etcd"),
            f"--data-dir={lab.home / 'etcd'}",
            "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--log-level=warn",
        ],
        "apiserver": [
            str(binaries / "kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379",
            f"--advertise-address={HUB_ADDRESS}",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
        ],
        "controller-manager": [
            str(binaries / "kube-controller-manager"),
            f"--kubeconfig={pki / 'controller-manager.kubeconfig'}",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--root-ca-file={pki / 'ca.crt'}",
            "--use-service-account-credentials=true",
            f"--cluster-cidr={POD_RANGE}",
            "--leader-elect=false",
        ],
        "scheduler": [
            str(binaries / "kube-scheduler"),
            f"--kubeconfig={pki / 'scheduler.kubeconfig'}",
            "--leader-elect=false",
        ],
    }
