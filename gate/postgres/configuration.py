"""PostgreSQL's configuration as the gate wants it, kept outside PGDATA.

A rewind or a base backup copies everything inside PGDATA from the other node; what must differ between nodes therefore
lives here. ``postgresql.auto.conf`` (ALTER SYSTEM) would still win, so the settings that are the gate's are taken out of
it before every start.
"""

from __future__ import annotations

import re
from pathlib import Path

from gate.postgres import tls
from gate.postgres.files import write_whole
from gate.settings import Settings

REPLICATION_USER = "replicator"
OPERATOR_USER = "failover"
RESERVED_SINCE = 16
"""PostgreSQL 16 keeps connection slots back for roles that are no superusers."""
_RESERVED = 3
"""For the operator's looks, its measuring writer, and the write that proves a route."""
_OURS = (
    "synchronous_standby_names", "primary_conninfo", "primary_slot_name", "restore_command", "recovery_target",
    "hba_file", "port", "listen_addresses", "unix_socket_directories", "cluster_name", "default_transaction_read_only",
    "synchronous_commit", "fsync", "full_page_writes", "lc_messages",
)  # fmt: skip


def socket_folder(settings: Settings) -> Path:
    """Return where the server's socket is: only the gate's user can enter."""
    return settings.own / "run"


def sync_names(members: tuple[str, ...]) -> str:
    """Return ``synchronous_standby_names`` for waiting for any one of ``members``."""
    quoted = ", ".join(f'"{name}"' for name in members)
    return f"ANY 1 ({quoted})" if members else ""


def conninfo(settings: Settings, member: str, address: str | None, *, name: str = "") -> str:
    """Return how this member reaches ``member`` for replication: at ``address``, or by name when that is not known.

    ``name``: what it calls itself there, if not by its own name.
    """
    where = f" hostaddr={address}" if address else ""
    return (
        f"host={settings.address_of(member)}{where} port={settings.postgres_port}"
        f" user={REPLICATION_USER} dbname=postgres"
        f" application_name={name or settings.member} passfile={settings.own / 'pgpass'}"
        " connect_timeout=3 keepalives_idle=2 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=5000"
    )


def write_configuration(  # noqa: PLR0913 - one argument a setting
    settings: Settings,
    *,
    leader: str,
    sync: tuple[str, ...],
    address: str | None = None,
    closed: bool = False,
    reverts: bool = False,
) -> Path:
    """Write all files for a server that follows ``leader`` (empty: nobody) and waits for ``sync`` at commit.

    ``address``: where the leader is, if that is known. ``closed``: applications are turned away; replication and the
    operator's role are not. ``reverts``: recovery stays on the directory's own timeline, whatever later ones it knows of.
    """
    own = settings.own
    socket_folder(settings).mkdir(parents=True, exist_ok=True, mode=0o700)
    password = settings.replication_password_file.read_text(encoding="utf-8").strip()
    write_whole(own / "pgpass", f"*:*:*:{REPLICATION_USER}:{password}\n")
    write_whole(own / "pg_hba.conf", _access(settings, closed=closed))
    values = {
        **_FIXED,
        "port": str(settings.postgres_port),
        "listen_addresses": settings.listen if settings.listen != "0.0.0.0" else "*",  # noqa: S104
        "unix_socket_directories": str(socket_folder(settings)),
        "hba_file": str(own / "pg_hba.conf"),
        "cluster_name": settings.member,
        "primary_conninfo": conninfo(settings, leader, address) if leader else "",
        "recovery_target_timeline": "current" if reverts else "latest",
        "synchronous_standby_names": sync_names(sync),
        **_tls(settings),
    }
    lines = [f"{key} = '{value}'" for key, value in values.items()]
    if settings.extra_config:
        lines.insert(0, f"include_if_exists '{settings.extra_config}'")
    if _version(settings) >= RESERVED_SINCE:  # first, so that the extra configuration may say otherwise
        lines.insert(0, f"reserved_connections = {_RESERVED}")
    write_whole(own / "postgresql.conf", "\n".join(lines) + "\n")
    _strip_auto(settings.data / "postgresql.auto.conf")
    return own / "postgresql.conf"


def _version(settings: Settings) -> int:
    """Return the major version that PGDATA was made by; 0 while there is none, or it is being copied."""
    path = settings.data / "PG_VERSION"
    text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    return int(text) if text.isdigit() else 0


def _access(settings: Settings, *, closed: bool) -> str:
    rules = _HBA + (_NOBODY if closed else _EVERYBODY)
    return re.sub(r"^host ", "hostssl", rules, flags=re.MULTILINE) if settings.tls_key else rules


def _tls(settings: Settings) -> dict[str, str]:
    """Return the server's settings for TLS, its files copied. A pair that cannot be used is left to the server to refuse."""
    if tls.sources(settings) is None:
        return {"ssl": "off"}
    try:
        tls.copy_pair(settings)
    except tls.UNUSABLE:
        if not tls.copied(settings):
            tls.copy_pair(settings, checked=False)
    return {"ssl": "on", "ssl_key_file": str(settings.own / "tls.key"), "ssl_cert_file": str(settings.own / "tls.crt")}


_FIXED = {
    "wal_level": "replica",
    "hot_standby": "on",
    "max_wal_senders": "10",
    "wal_keep_size": "1GB",
    "max_wal_size": "2GB",
    "wal_retrieve_retry_interval": "100ms",
    "wal_receiver_status_interval": "1s",
    "wal_receiver_timeout": "10s",
    "wal_sender_timeout": "10s",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "lc_messages": "C",  # why a server turns somebody away has no code, only words
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

_HBA = """\
local all         postgres              trust
local replication postgres              trust
host  replication replicator all        scram-sha-256
host  postgres    replicator all        scram-sha-256
host  all         postgres   all        reject
host  all         replicator all        reject
"""
_EVERYBODY = "host  all         all        all        scram-sha-256\n"
_NOBODY = f"""\
host  all         {OPERATOR_USER}   all        scram-sha-256
host  all         all        all        reject
"""


def _strip_auto(path: Path) -> None:
    if not path.exists():
        return
    ours = re.compile(rf"^\s*({'|'.join(_OURS)})\w*\s*=", re.IGNORECASE)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not ours.match(line)]
    if kept != lines:
        path.write_text("".join(kept), encoding="utf-8")
