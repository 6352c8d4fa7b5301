"""A server that wants TLS: clients and replication without it are turned away, with it all goes on as before."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import socket
import ssl
import struct
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gate.api import Role
from tests.gate.harness import running_cluster


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key; return both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postgresql")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = folder / "tls.crt", folder / "tls.key"
    for path, content in zip(paths, (certificate.public_bytes(serialization.Encoding.PEM), secret), strict=True):
        path.write_bytes(content)
        path.chmod(0o644)
    return paths


async def test_replication_and_clients_use_tls_and_nobody_else_gets_in(folder: Path) -> None:
    certificate, key = self_signed(folder)
    async with running_cluster(folder, TLS_CERTIFICATE=str(certificate), TLS_KEY=str(key)) as pair:
        await pair.sql("pg-0", "create table rows (n int)")
        ssl = await pair.sql("pg-0", "select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert ssl == [(True,)]
        address, port = pair.address("pg-0"), pair.postgres_port
        with pytest.raises(psycopg.OperationalError, match="no encryption"):
            await psycopg.AsyncConnection.connect(
                host=address, port=port, user="app", password="secret", dbname="aiagent_prod", sslmode="disable"
            )
        epoch = pair.claim("pg-1")
        fenced = await pair.fence("pg-0", epoch)
        await pair.promote("pg-1", epoch, fenced.end_lsn)
        pair.route("pg-1")
        await pair.until_role("pg-0", Role.STANDBY)
        await pair.until_synchronous("pg-0")


async def _served(address: str, port: int) -> bytes:
    """Return the certificate that a server shows, as DER."""

    def ask() -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((address, port), timeout=5) as raw:
            raw.sendall(struct.pack("!ii", 8, 80877103))  # SSLRequest
            assert raw.recv(1) == b"S"
            with context.wrap_socket(raw) as secured:
                return secured.getpeercert(binary_form=True) or b""

    return await asyncio.to_thread(ask)


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)


async def test_a_renewed_certificate_is_served_without_a_restart(folder: Path) -> None:
    certificate, key = self_signed(folder)
    async with running_cluster(folder, TLS_CERTIFICATE=str(certificate), TLS_KEY=str(key)) as pair:
        where, first = (pair.address("pg-0"), pair.postgres_port), _der(certificate)
        started = await pair.sql("pg-0", "select pg_postmaster_start_time()")
        assert await _served(*where) == first
        (folder / "other").mkdir()
        other, other_key = self_signed(folder / "other")
        shutil.copy(other, certificate)  # half of a change: it belongs to no key
        await pair.until(lambda: pair.said("pg-0", "do not belong together"), 30)
        assert await _served(*where) == first
        shutil.copy(other_key, key)
        async with asyncio.timeout(30):
            while await _served(*where) == first:
                await asyncio.sleep(0.2)
        assert await _served(*where) == _der(certificate)
        assert await pair.sql("pg-0", "select pg_postmaster_start_time()") == started
        ends_at = (await pair.until_role("pg-0", Role.PRIMARY)).certificate_ends_at
        assert ends_at == x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
