"""Settings of a gate, from ``GATE_*`` variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _api_server() -> str:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    address = f"[{host}]" if ":" in host else host
    return f"https://{address}:{port}" if host else "https://kubernetes.default.svc"


class Settings(BaseSettings):
    """One gate in front of one server."""

    model_config = SettingsConfigDict(env_prefix="GATE_", frozen=True)

    cluster: str
    member: str
    """Own pod name."""
    members: Annotated[tuple[str, ...], NoDecode]
    """All members, comma-separated; the first one sets the cluster up."""
    namespace: str
    service: str
    """Write Service: the leader record."""
    address: str = "{member}.postgresql-members.{namespace}.svc.cluster.local"
    """Pattern of a member's address."""
    listen: str = "0.0.0.0"  # noqa: S104 - a pod's own address
    port: int = 8008
    postgres_port: int = 5432
    directory: Path = Path("/var/lib/postgresql/data")
    postgres_bin: Path | None = None
    token_file: Path
    replication_password_file: Path
    operator_password_file: Path
    application_password_file: Path
    application_user: str = "app"
    database: str = "aiagent_prod"
    wal_segment_megabytes: int = Field(default=16, ge=1, le=1024)
    """Size of a WAL segment, a power of two, for the first start only. Every timeline begins one of its own, and a rewind
    copies all that the leader keeps: a cluster that fails over dozens of times a day, as a test's does, wants small ones."""
    durability: Literal["available", "strict"] = "available"
    isolation_timeout: float = Field(default=30.0, gt=0)
    """Seconds without API server and peers after which a primary stops itself."""
    standby_timeout: float = Field(default=0.5, gt=0)
    """Seconds that a synchronous standby may be gone before commits stop waiting for it (``available`` only)."""
    starved_after: float = Field(default=10.0, gt=0)
    """Seconds without replication after which a standby asks whether its leader still has the WAL that it needs."""
    hand_over_within: float = Field(default=30.0, ge=0)
    """Seconds that a leader that is asked to end waits until another member leads, if a detection looks at it; 0: never. The
    pod's grace period is longer by 30 s for a switch that was claimed at the last moment, and 55 s for the server's stop."""
    closed_after_route: float = Field(default=3.0, ge=0)
    """Seconds that a former primary turns applications away after the route has left it. kube-proxy may take a second to
    follow; a pool that gets through meanwhile would keep a session on a server that no longer takes writes."""
    api_server: str = Field(default_factory=_api_server)
    """By address, as every pod is told it: by name it would be gone whenever DNS is."""
    account: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    extra_config: Path | None = None
    tls_certificate: Path | None = None
    """PEM; with ``tls_key`` the server speaks TLS, and turns away whoever does not, replication included."""
    tls_key: Path | None = None
    poll_seconds: float = 1.0

    @property
    def peers(self) -> tuple[str, ...]:
        """The other members."""
        return tuple(name for name in self.members if name != self.member)

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.directory / "pgdata"

    @property
    def own(self) -> Path:
        """The gate's own state; never copied by a rewind or a base backup."""
        return self.directory / "gate"

    @property
    def programs(self) -> Path:
        """PostgreSQL's ``bin`` folder: the newest installed unless set."""
        if self.postgres_bin:
            return self.postgres_bin
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
        if not found:
            raise FileNotFoundError("GATE_POSTGRES_BIN: no PostgreSQL under /usr/lib/postgresql; set the variable")
        return found[-1]

    def address_of(self, member: str) -> str:
        """Return the host name of ``member``."""
        return self.address.format(member=member, namespace=self.namespace)

    @field_validator("wal_segment_megabytes")
    @classmethod
    def _is_a_power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            message = f"{value} is no power of two; PostgreSQL's own is 16"
            raise ValueError(message)
        return value

    @field_validator("members", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
