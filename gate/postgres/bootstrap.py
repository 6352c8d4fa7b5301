"""Sets a cluster up for the first time, once, whatever crashes meanwhile.

``initdb`` works in a folder of its own; the record is written next, with the new system's identifier; the folder becomes
PGDATA last. A crash before the record leaves a folder that is thrown away; a crash after it leaves a folder whose
identifier is the record's, and that is finished.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from gate.lease.kube import ApiServer
from gate.postgres.configuration import OPERATOR_USER, REPLICATION_USER, RESERVED_SINCE, write_configuration
from gate.postgres.controldata import ProgramError, read_control, run_program
from gate.postgres.session import AS_SUPERUSER, open_session
from gate.record import NO_SYNC, Record
from gate.settings import Settings

_START_SECONDS = 60
NO_SUPERUSER = 'role "postgres" does not exist'
Connect = Callable[[str], Awaitable[psycopg.AsyncConnection]]


def scratch_folder(settings: Settings) -> Path:
    """Return where a new cluster is made."""
    return settings.directory / "pgdata.bootstrap"


async def bootstrap(settings: Settings, api: ApiServer) -> Record:
    """Make a new cluster and the first record; return the record.

    Raises:
        ConflictError: somebody wrote the Service in between; look again.
    """
    scratch, version = scratch_folder(settings), await api.version()
    shutil.rmtree(scratch, ignore_errors=True)
    program = str(settings.programs / "initdb")
    await run_program(
        program, "-D", str(scratch), "-U", "postgres", "-k", "-E", "UTF8", "--locale=C.UTF-8",
        "--auth-local=trust", "--auth-host=scram-sha-256",
        f"--wal-segsize={settings.wal_segment_megabytes}",
    )  # fmt: skip
    await _make_roles(settings, scratch)
    control = await read_control(settings.programs, scratch)
    left = await api.mirror()
    first = Record(
        leader=settings.member, epoch=left.epoch + 1 if left else 1, run=f"gate/{settings.member}", sync=NO_SYNC,
        system_identifier=control.system_identifier, resource_version=version,
    )  # fmt: skip
    record = await api.write(first)
    scratch.rename(settings.data)
    return record


async def finish_bootstrap(settings: Settings, record: Record | None) -> None:
    """Take over a folder that a crash left behind, if it is the record's system."""
    scratch = scratch_folder(settings)
    if record is None or settings.data.exists() or not scratch.exists():
        return
    try:
        control = await read_control(settings.programs, scratch)
    except ProgramError:
        return
    if control.system_identifier == record.system_identifier:
        scratch.rename(settings.data)


async def _make_roles(settings: Settings, data: Path) -> None:
    """Make roles and database on a server that nobody else can reach."""
    async with serving_privately(settings, data) as connect:
        async with await connect("postgres") as connection:
            for statement in _statements(settings, connection.info.server_version):
                await connection.execute(statement)
        async with await connect(settings.database) as connection:
            owner = sql.Identifier(OPERATOR_USER)
            await connection.execute(sql.SQL("create schema failover authorization {}").format(owner))


@asynccontextmanager
async def serving_privately(settings: Settings, data: Path, within: float = _START_SECONDS) -> AsyncIterator[Connect]:
    """Let a server run in ``data`` that nobody else can reach, until the block ends; give a way to connect to a database.

    Raises:
        TimeoutError: it did not serve in time. ProgramError: it ended.
    """
    configuration = write_configuration(settings, leader="", sync=())
    folder = settings.own / "bootstrap"
    folder.mkdir(exist_ok=True, mode=0o700)
    overrides = (
        "listen_addresses=", f"unix_socket_directories={folder}", f"config_file={configuration}",
        "max_logical_replication_workers=0", "lc_messages=C",
    )  # fmt: skip
    options = [part for override in overrides for part in ("-c", override)]
    process = await asyncio.create_subprocess_exec(str(settings.programs / "postgres"), "-D", str(data), *options)

    async def connect(database: str) -> psycopg.AsyncConnection:
        return await open_session(
            AS_SUPERUSER, host=str(folder), port=settings.postgres_port, user="postgres", dbname=database
        )

    try:
        async with asyncio.timeout(within):
            await _until_serving(process, connect)
        yield connect
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _until_serving(process: asyncio.subprocess.Process, connect: Connect) -> None:
    """Return when the server answers, be it that it does not know the role."""
    while process.returncode is None:
        try:
            await (await connect("postgres")).close()
        except psycopg.OperationalError as error:
            if NO_SUPERUSER in str(error):
                return
            await asyncio.sleep(0.05)
        else:
            return
    raise ProgramError(f"postgres ended with {process.returncode} right after its start; its words are in the gate's log")


def product_roles(settings: Settings) -> tuple[tuple[str, str, str], ...]:
    """Return name, rights and password of the product's own roles."""
    files = {REPLICATION_USER: settings.replication_password_file, OPERATOR_USER: settings.operator_password_file}
    rights = {REPLICATION_USER: "login replication", OPERATOR_USER: "login"}
    return tuple((name, rights[name], path.read_text(encoding="utf-8").strip()) for name, path in files.items())


def product_grants(settings: Settings, server_version: int) -> list[sql.Composed]:
    """Return what those roles may do: statements for the database ``postgres``, safe to repeat.

    A server that keeps connection slots back for roles that are no superusers lets the operator's have them: applications
    that take all others neither hide a standby nor keep a route from being verified.
    """
    operator, replicator = sql.Identifier(OPERATOR_USER), sql.Identifier(REPLICATION_USER)
    rewind = "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)", "pg_read_binary_file(text)"
    functions = [*rewind, "pg_read_binary_file(text, bigint, bigint, boolean)"]
    rights = ["pg_monitor", "pg_signal_backend", "pg_checkpoint"]
    rights += ["pg_use_reserved_connections"] if server_version >= RESERVED_SINCE * 10_000 else []
    return [
        sql.SQL("grant {} to {}").format(sql.SQL(", ").join(map(sql.Identifier, rights)), operator),
        *(sql.SQL("grant execute on function pg_catalog.{} to {}").format(sql.SQL(name), replicator) for name in functions),
        sql.SQL("grant connect on database {} to {}").format(sql.Identifier(settings.database), operator),
    ]


def _statements(settings: Settings, server_version: int) -> list[sql.Composed]:
    application = settings.application_password_file.read_text(encoding="utf-8").strip()
    roles = [*product_roles(settings), (settings.application_user, "login", application)]
    return [
        *(
            sql.SQL("create role {} {} password {}").format(sql.Identifier(name), sql.SQL(rights), sql.Literal(password))
            for name, rights, password in roles
        ),
        sql.SQL("create database {} owner {}").format(
            sql.Identifier(settings.database), sql.Identifier(settings.application_user)
        ),
        *product_grants(settings, server_version),
    ]
