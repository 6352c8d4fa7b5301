"""Prepares a directory that has run without a gate: the roles that the product needs, and nothing else.

The server is started as in ``gate.postgres.bootstrap``: with no network, on a socket in a folder that only the gate's user
can enter. Roles and data of applications are not touched. It is stopped again before the answer goes out, and until there is
a record nobody may start it for good: killed at any line, the directory is one that was shut down or crashed, and the next
attempt finds the roles that are there already. What the old ``postgresql.auto.conf`` said is kept beside the gate's state,
since the gate takes out what is its own before every start.

A cluster whose superuser has another name than ``postgres`` gets that role in single-user mode, the only way in without
knowing a name.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterable

import psycopg
from psycopg import sql

from gate.api import Adopted, ProblemKind
from gate.postgres.bootstrap import NO_SUPERUSER, product_grants, product_roles, serving_privately
from gate.postgres.configuration import OPERATOR_USER, write_configuration
from gate.postgres.controldata import ControlData, is_standbys, read_control, run_program
from gate.settings import Settings

_RIGHTS_SINCE = 15
"""PostgreSQL 15 has the role pg_checkpoint."""
_SERVES_WITHIN_SECONDS = 240.0
"""The old server may have crashed, and recovery takes its time."""
_NOTES = {
    "roles with md5 passwords cannot log in through a gate, set them again": (
        "select rolname from pg_authid where rolcanlogin and rolpassword like 'md5%' order by 1"
    ),
    "replication slots that nobody uses keep WAL for ever, drop them": (
        "select slot_name from pg_replication_slots where not active order by 1"
    ),
    "tablespaces outside the directory are not part of the volume": (
        "select spcname from pg_tablespace where spcname not like 'pg\\_%' order by 1"
    ),
}


class NotAdoptableError(Exception):
    """A directory cannot be prepared; the sentence says why."""

    def __init__(self, kind: ProblemKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


async def must_be_adoptable(settings: Settings, system_identifier: str) -> ControlData:
    """Return the control data of a primary's directory that this gate can serve.

    Raises:
        NotAdoptableError: it is empty, a standby's, another system's, or of another version.
    """
    if not (settings.data / "PG_VERSION").exists():
        raise NotAdoptableError(ProblemKind.NOT_PRIMARY, f"{settings.data} holds no database")
    if is_standbys(settings.data):
        raise NotAdoptableError(ProblemKind.NOT_PRIMARY, f"{settings.data} is a standby's: it has standby.signal")
    made_by = (settings.data / "PG_VERSION").read_text(encoding="utf-8").strip()
    ours = await run_program(str(settings.programs / "postgres"), "--version")
    if (found := re.search(r"(\d+)", ours)) is None or found.group(1) != made_by or int(made_by) < _RIGHTS_SINCE:
        why = f"{settings.data} was made by PostgreSQL {made_by}, here is {ours.strip()}; at least {_RIGHTS_SINCE} is needed"
        raise NotAdoptableError(ProblemKind.WRONG_SYSTEM, why)
    control = await read_control(settings.programs, settings.data)
    if control.system_identifier != system_identifier:
        why = f"{settings.data} is system {control.system_identifier}, not {system_identifier}"
        raise NotAdoptableError(ProblemKind.WRONG_SYSTEM, why)
    return control


async def prepare(settings: Settings, epoch: int) -> Adopted:
    """Make what is missing and stop the server again; say what was made and what a person should know.

    Raises:
        NotAdoptableError: there is no such database. ProgramError, TimeoutError, psycopg.Error: the server does not serve.
    """
    _keep_auto_conf(settings)
    made: list[str] = []
    try:
        notes = await _fill(settings, made)
    except psycopg.OperationalError as error:
        if NO_SUPERUSER not in str(error):
            raise
        made.append(await _make_superuser(settings))
        notes = await _fill(settings, made)
    control = await read_control(settings.programs, settings.data)
    return Adopted(
        epoch=epoch, system_identifier=control.system_identifier, timeline=control.timeline, control_state=control.state,
        made=tuple(made), notes=tuple(notes),
    )  # fmt: skip


async def _fill(settings: Settings, made: list[str]) -> list[str]:
    """Make roles and schema on a server that nobody else can reach, add to ``made``; return what a person should know."""
    notes = []
    async with serving_privately(settings, settings.data, _SERVES_WITHIN_SECONDS) as connect:
        async with await connect("postgres") as connection:
            await _must_be_usable(settings, connection)
            made += await _make_roles(settings, connection)
            for what, query in _NOTES.items():
                names = await _names(connection, query)
                notes += [f"{what}: {', '.join(names)}"] if names else []
        async with await connect(settings.database) as connection:
            owner = sql.Identifier(OPERATOR_USER)
            await connection.execute(sql.SQL("create schema if not exists failover authorization {}").format(owner))
    return notes


def _keep_auto_conf(settings: Settings) -> None:
    source, kept = settings.data / "postgresql.auto.conf", settings.own / "before-adoption.auto.conf"
    if source.exists() and not kept.exists():
        shutil.copy2(source, kept)


async def _make_superuser(settings: Settings) -> str:
    configuration = write_configuration(settings, leader="", sync=())
    process = await asyncio.create_subprocess_exec(
        str(settings.programs / "postgres"), "--single", "-D", str(settings.data), "-c", f"config_file={configuration}",
        "template1", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await process.communicate(b"create role postgres superuser login\n")
    return "role postgres"


async def _must_be_usable(settings: Settings, connection: psycopg.AsyncConnection) -> None:
    if not await _names(connection, "select rolname from pg_roles where rolname = 'postgres' and rolsuper"):
        raise NotAdoptableError(ProblemKind.WRONG_SYSTEM, "role postgres exists and is no superuser: rename it first")
    names = await _names(connection, "select datname from pg_database where not datistemplate order by 1")
    if settings.database not in names:
        why = f"there is no database {settings.database} (GATE_DATABASE); there are {', '.join(names)}"
        raise NotAdoptableError(ProblemKind.WRONG_SYSTEM, why)


async def _make_roles(settings: Settings, connection: psycopg.AsyncConnection) -> list[str]:
    """Make or mend the product's own two roles; return what was made."""
    there = await _names(connection, "select rolname from pg_roles")
    made = []
    for name, rights, password in product_roles(settings):
        verb = sql.SQL("alter" if name in there else "create")
        made += [] if name in there else [f"role {name}"]
        await connection.execute(
            sql.SQL("{} role {} {} password {}").format(verb, sql.Identifier(name), sql.SQL(rights), sql.Literal(password))
        )
    for statement in product_grants(settings, connection.info.server_version):
        await connection.execute(statement)
    return made


async def _names(connection: psycopg.AsyncConnection, query: str) -> list[str]:
    rows: Iterable[tuple[object, ...]] = await (await connection.execute(query)).fetchall()
    return [str(row[0]) for row in rows]
