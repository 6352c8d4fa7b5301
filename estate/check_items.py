"""Items of checklists: what a person says, or what a step looks at, as the estate describes it."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from estate.parts import Entry, Name, SecretReference

Title = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$")]
_Patience = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(minutes=15))]
_Age = Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=400))]


class _Item(Entry):
    """What all items have."""

    key: Name
    title: Title
    mandatory: bool = True
    """It holds the run as long as it is not done; otherwise it is only shown."""


class HumanItem(_Item):
    """A person says that it is done."""

    kind: Literal["human"] = "human"
    roles: tuple[str, ...] = ()
    """Who may say so; empty: everybody whom ``people`` lists."""


class Server(Entry):
    """A PostgreSQL server with a login; for items that ask another server than the target's own leader."""

    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=5432, ge=1, le=65535)
    database: str
    user: str = "failover"
    password: SecretReference
    sslmode: str = "prefer"


class SqlItem(_Item):
    """Queries, each in a read-only transaction; each must return no row, or one row with one ``true``."""

    kind: Literal["sql"]
    queries: dict[Name, str] = Field(min_length=1)
    server: Server | None = None
    """``None``: the server that leads the target."""
    within: _Patience = timedelta(seconds=30)
    """How long all of them may take."""


class AmcheckItem(_Item):
    """The structure of all B-tree indexes: by ``pg_amcheck`` where the worker has it, else by the extension ``amcheck``."""

    kind: Literal["pg_amcheck"]
    server: Server | None = None
    within: _Patience = timedelta(minutes=5)


class BackupFormat(StrEnum):
    """What a command says of a backup."""

    PGBACKREST = "pgbackrest"
    """``pgbackrest info --output=json``: the newest end of a backup without error."""
    TIMESTAMP = "timestamp"
    """One time on its first line, in ISO 8601 or in seconds since 1970."""


class PostgresBackupItem(_Item):
    """The newest backup of a cluster, by a command of the worker or by a query; one of both."""

    kind: Literal["postgres-backup"]
    newest_within: _Age = timedelta(hours=1)
    command: tuple[str, ...] = ()
    """Program and arguments; no shell."""
    format: BackupFormat = BackupFormat.PGBACKREST
    """Of what ``command`` prints."""
    query: str = ""
    """Returns one timestamp with time zone."""
    server: Server | None = None
    """Where ``query`` is asked; ``None``: the server that leads the target."""
    within: _Patience = timedelta(seconds=30)

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if bool(self.command) == bool(self.query):
            message = f"{self.key} needs command or query, one of both: it is where the time of the backup is read"
            raise ValueError(message)
        return self


class FlexibleBackupItem(_Item):
    """The newest completed backup of the Flexible Servers that lead, automatic or on demand, by Azure's word."""

    kind: Literal["flexible-server-backup"]
    newest_within: _Age = timedelta(hours=26)
    """Azure's automatic ones are daily: a shorter time asks for one on demand."""
    within: _Patience = timedelta(seconds=30)


class PrometheusItem(_Item):
    """No alert fires; or, with ``query``, an expression that returns nothing. Also for Azure's managed Prometheus."""

    kind: Literal["prometheus"]
    url: Url
    query: str = ""
    labels: dict[str, str] = Field(default={})
    """Only alerts with these labels; empty: all."""
    token: SecretReference | None = None
    within: _Patience = timedelta(seconds=10)


class GrafanaItem(_Item):
    """No alert of Grafana's own Alertmanager is active, but for silenced and inhibited ones."""

    kind: Literal["grafana"]
    url: Url
    labels: dict[str, str] = Field(default={})
    token: SecretReference | None = None
    within: _Patience = timedelta(seconds=10)


class InsightsItem(_Item):
    """A query of Application Insights that returns no row."""

    kind: Literal["application-insights"]
    app: Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f-]{36}$")]
    """Application ID, from the resource's API access."""
    query: str = Field(min_length=1)
    span: timedelta = timedelta(minutes=15)
    """How far back it looks."""
    url: Url = "https://api.applicationinsights.io"
    token: SecretReference | None = None
    """Bearer; ``None``: the worker's own identity in Azure."""
    within: _Patience = timedelta(seconds=20)


Item = Annotated[
    HumanItem
    | SqlItem
    | AmcheckItem
    | PostgresBackupItem
    | FlexibleBackupItem
    | PrometheusItem
    | GrafanaItem
    | InsightsItem,
    Field(discriminator="kind"),
]
