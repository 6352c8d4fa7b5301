"""How every PostgreSQL session of the product begins, the gate's and the operator's: it inherits no setting.

What a cluster, a database or a role sets by default is meant for applications. Some of it stops us: a hot standby answers
nothing at isolation *serializable*, a read-only default refuses the write that proves a route, a statement timeout ends a
CHECKPOINT. Some of it deceives us: without warnings a commit that did not wait for its standby looks like one that did.
Settings of the connection's start-up win over all of them, and cost no round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

_INHERITED_BY_NOBODY: Mapping[str, str] = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "client_min_messages": "warning",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO",
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "search_path": "pg_catalog,pg_temp",
}
"""How long a question may take is each caller's own matter: it closes the connection."""
AS_SUPERUSER: Mapping[str, str] = {"session_replication_role": "replica", "client_connection_check_interval": "1s"}
"""Event triggers of the database do not run in the gate's sessions: they are not written for it. What the gate no longer
waits for ends within a second, so that looks at a server under load do not add to it."""
_TRANSACTION_TIMEOUT_SINCE = 170000


async def open_session(
    settings: Mapping[str, str] | None = None,
    **where: Any,  # noqa: ANN401 - psycopg's own arguments
) -> psycopg.AsyncConnection[Any]:
    """Connect to ``where`` (psycopg's arguments) with settings that are all our own; ``settings`` adds to them.

    Raises:
        psycopg.Error, OSError: as psycopg does.
    """
    options = session_options({**_INHERITED_BY_NOBODY, **(settings or {})})
    connection = await psycopg.AsyncConnection.connect(options=options, autocommit=True, **where)
    try:
        if connection.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:  # an older server would refuse the connection
            await connection.execute("set transaction_timeout = 0")
    except BaseException:
        connection.pgconn.finish()
        raise
    return connection


def session_options(settings: Mapping[str, str]) -> str:
    """Return settings as libpq's ``options``, in which a space is escaped."""
    return " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in settings.items())
