"""The lab cluster's certificate authority, its certificates and kubeconfigs. Made once per lab, never shared."""

from __future__ import annotations

import base64
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.lab.names import API_PORT, HUB_ADDRESS, NODES, Lab, node_address

_YEAR = timedelta(days=365)
_CLUSTER = "failover-lab"


def ensure_certificates(lab: Lab) -> None:
    """Make whatever is missing."""
    pki = lab.pki
    if (pki / "complete").exists():
        return
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority(pki)
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    authority.issue("apiserver", "kube-apiserver", names=names, addresses=[HUB_ADDRESS, "10.96.0.1", "127.0.0.1"])
    authority.issue("apiserver-kubelet", "kube-apiserver-kubelet-client", group="system:masters")
    authority.issue("admin", "kubernetes-admin", group="system:masters")
    authority.issue("controller-manager", "system:kube-controller-manager")
    authority.issue("scheduler", "system:kube-scheduler")
    authority.issue("proxy", "system:kube-proxy")
    for node in NODES:
        authority.issue(node, f"system:node:{node}", group="system:nodes", names=[node], addresses=[node_address(node)])
    _service_account_key(pki)
    inside = f"https://{HUB_ADDRESS}:{API_PORT}"
    for user in ("admin", "controller-manager", "scheduler", "proxy", *NODES):
        write_kubeconfig(pki / f"{user}.kubeconfig", pki, user, inside)
    (pki / "complete").touch()


def write_kubeconfig(path: Path, pki: Path, user: str, server: str) -> None:
    """Write a kubeconfig for ``user`` with everything inline."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": _CLUSTER, "cluster": {"server": server, "certificate-authority-data": _inline(pki / "ca.crt")}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _inline(pki / f"{user}.crt"),
                    "client-key-data": _inline(pki / f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": _CLUSTER, "context": {"cluster": _CLUSTER, "user": user}}],
        "current-context": _CLUSTER,
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    path.chmod(0o600)


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


class _Authority:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{_CLUSTER}-ca")])
        builder = _builder(self._name, self._name, self._key.public_key())
        self._certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )
        _save(folder / "ca", self._key, self._certificate)

    def issue(
        self,
        file: str,
        common_name: str,
        *,
        group: str = "",
        names: list[str] | None = None,
        addresses: list[str] | None = None,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        if group:
            parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = _builder(x509.Name(parts), self._name, key.public_key())
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names or []]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses or []]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = builder.add_extension(usages, critical=False).sign(self._key, hashes.SHA256())
        _save(self._folder / file, key, certificate)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=2))
        .not_valid_after(now + _YEAR)
    )


def _save(stem: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _save_key(stem.with_suffix(".key"), key)
    stem.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _save_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _service_account_key(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _save_key(folder / "sa.key", key)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "sa.pub").write_bytes(public)
