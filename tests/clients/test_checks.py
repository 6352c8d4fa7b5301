"""Looks at items of checklists: at a real server by SQL, at programs, and at HTTP servers on loopback."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import TypeAdapter

from activities.clients.checks.databases import AmcheckLook, BackupLook, Databases, SqlLook
from activities.clients.checks.monitors import GrafanaLook, InsightsLook, PrometheusLook
from activities.run.checks import ChecklistActivities, LookRequest
from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked
from estate.check_items import Item
from estate.checklists import Checklist
from estate.postgres import PostgresTarget
from tests.clients.operator import Loopback, target_of
from tests.clients.postgres_pair import PASSWORD, PostgresPair

_PROGRAMS = cycle(Path("/usr/lib/postgresql").glob("*/bin/pg_amcheck"))
_ITEM: TypeAdapter[Any] = TypeAdapter(Item)


def item(kind: str, **more: Any) -> Any:
    return _ITEM.validate_python({"key": "it", "title": "It", "kind": kind, **more})


@pytest.fixture
def target(same_pair: PostgresPair, monkeypatch: pytest.MonkeyPatch) -> PostgresTarget:
    monkeypatch.setenv("OPERATOR_PASSWORD", PASSWORD)
    return target_of(same_pair)


async def by_sql(pair: PostgresPair, target: PostgresTarget, **queries: str) -> Looked:
    return await SqlLook(Databases(Loopback(pair))).look(item("sql", queries=queries, within="PT2S"), target)


async def test_queries_find_what_must_not_be(same_pair: PostgresPair, target: PostgresTarget) -> None:
    await same_pair.sql("pg-0", "insert into numbers values ('checks', 1)")
    well = await by_sql(same_pair, target, none="select 1 where false", one="select count(*) = 1 from public.numbers")
    assert (well.met, well.seen) == (True, ("2 queries found nothing wrong",))
    assert well.source == "pg.prod.svc.cluster.local/postgres"
    wrong = await by_sql(same_pair, target, none="select 1 where false", rows="select writer from public.numbers")
    assert (wrong.met, wrong.seen) == (False, ("rows: checks",))
    twice = await by_sql(same_pair, target, two="select false as one, true as one")
    assert twice.met is False, "two columns of one name are two"


@pytest.mark.parametrize(
    "query",
    [
        "delete from public.numbers returning 1",
        "commit; delete from public.numbers",
        "select pg_sleep(9)",
        "select from nowhere",
    ],
)
async def test_a_query_that_changes_or_lasts_or_fails_is_not_known(
    same_pair: PostgresPair, target: PostgresTarget, query: str
) -> None:
    await same_pair.sql("pg-0", "insert into numbers values ('checks', 1)")
    with pytest.raises(UnreachableError):
        await by_sql(same_pair, target, it=query)
    assert await same_pair.sql("pg-0", "select count(*) from numbers") == [(1,)], "nothing was changed"


async def test_a_backup_by_a_query(same_pair: PostgresPair, target: PostgresTarget) -> None:
    look = BackupLook(Databases(Loopback(same_pair)))
    for query, met in (
        ("select now() - interval '5 min'", True),
        ("select now() - interval '2 h'", False),
        ("select null::timestamptz", False),
        ("select last_archived_time from pg_stat_archiver", False),
        ("select now(), now()", None),
        ("select 'yesterday'", None),
        ("select now() where false", None),
    ):
        assert (await look.look(item("postgres-backup", query=query), target)).met is met, query


async def test_a_backup_by_a_program(same_pair: PostgresPair, target: PostgresTarget) -> None:
    look = BackupLook(Databases(Loopback(same_pair)))

    async def by(program: str, **more: Any) -> Looked:
        command = [sys.executable, "-c", program]
        one = item("postgres-backup", command=command, format="timestamp", within="PT3S", **more)
        return await look.look(one, target)

    assert (await by("import time; print(time.time() - 60)")).met is True
    assert (await by("print(1000)")).met is False
    for program in ("print('none')", "raise SystemExit('the store is away')", "import time; time.sleep(60)"):
        with pytest.raises(UnreachableError):
            await by(program)
    with pytest.raises(UnreachableError, match="No such file"):
        await look.look(item("postgres-backup", command=["/nowhere/pgbackrest"]), target)


async def test_indexes_by_sql(same_pair: PostgresPair, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    look, one = AmcheckLook(Databases(Loopback(same_pair))), item("pg_amcheck")
    with pytest.raises(UnreachableError, match="amcheck is not installed"):
        await look.look(one, target)
    await same_pair.sql("pg-0", "create extension amcheck")
    try:
        with pytest.raises(UnreachableError, match="permission denied"):
            await look.look(one, target)
        await same_pair.sql("pg-0", "grant execute on function bt_index_check(regclass) to app")
        well = await look.look(one, target)
        assert well.met is True
        assert well.seen[0].endswith("indexes are well")
        await _break_an_index(same_pair)
        broken = await look.look(one, target)
        assert broken.met is False
        assert "public.broken" in broken.seen[0]
    finally:
        await _mend(same_pair)


async def test_indexes_by_the_program(
    same_pair: PostgresPair, target: PostgresTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: str(next(_PROGRAMS)))
    monkeypatch.setenv("SUPERUSER", "none")
    server = {"host": same_pair.address("pg-0"), "port": same_pair.port, "database": "postgres", "user": "postgres"}
    one = item("pg_amcheck", server={**server, "password": "env:SUPERUSER"})
    look = AmcheckLook(Databases(Loopback(same_pair)))
    with pytest.raises(UnreachableError):  # the extension is missing
        await look.look(one, target)
    await same_pair.sql("pg-0", "create extension amcheck")
    try:
        well = await look.look(one, target)
        assert (well.met, well.source.rpartition(" ")[2]) == (True, "pg_amcheck")
        await _break_an_index(same_pair)
        broken = await look.look(one, target)
        assert broken.met is False
        assert any("broken" in one for one in broken.seen)
    finally:
        await _mend(same_pair)


async def _mend(pair: PostgresPair) -> None:
    """Take away what ``_break_an_index`` has made."""
    kinds = ("table if exists public.torn", "operator family if exists public.by_turned using btree",
             "function if exists public.turned", "extension amcheck")  # fmt: skip
    for what in kinds:
        await pair.sql("pg-0", f"drop {what} cascade")


async def _break_an_index(pair: PostgresPair) -> None:
    """Make an index whose order is not that of its operator class any more."""
    await pair.sql("pg-0", "create table public.torn (n int)")
    await pair.sql("pg-0", "insert into public.torn select generate_series(1, 50)")
    await pair.sql(
        "pg-0", "create function public.turned(a int, b int) returns int immutable language sql as 'select a - b'"
    )
    await pair.sql(
        "pg-0",
        "create operator class public.by_turned for type int using btree as operator 1 <, operator 2 <=, operator 3 =,"
        " operator 4 >=, operator 5 >, function 1 public.turned(int, int)",
    )
    await pair.sql("pg-0", "create index broken on public.torn (n public.by_turned)")
    await pair.sql(
        "pg-0", "create or replace function public.turned(a int, b int) returns int immutable language sql as 'select b - a'"
    )


@asynccontextmanager
async def answering(status: int, body: Any, asked: list[web.Request]) -> AsyncIterator[str]:
    """Serve one answer for every question on loopback; yield the address."""

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        await request.read()
        return web.json_response(body, status=status, headers={"Location": "/login"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


_APP = "00000000-0000-0000-0000-000000000000"
_NO_ROW = {"tables": [{"columns": [{"name": "n"}], "rows": []}]}
_VECTOR = {"data": {"resultType": "vector", "result": []}}
_KINDS: dict[str, tuple[Any, Any, dict[str, Any], str, str]] = {
    "prometheus": (PrometheusLook(), _VECTOR, {"query": "up == 0"}, "GET", "/api/v1/query?query=up+%3D%3D+0"),
    "grafana": (
        GrafanaLook(), [], {}, "GET",
        "/api/alertmanager/grafana/api/v2/alerts?active=true&silenced=false&inhibited=false",
    ),
    "application-insights": (
        InsightsLook(), _NO_ROW, {"app": _APP, "query": "exceptions"}, "POST", f"/v1/apps/{_APP}/query"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", _KINDS)
async def test_a_monitor_is_asked_with_its_bearer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER", "s3cret")
    look, body, more, method, path = _KINDS[kind]
    asked = list[web.Request]()
    async with answering(200, body, asked) as url:
        seen = await look.look(item(kind, url=url, token="env:BEARER", **more), None)
    assert seen.met is True
    assert seen.source.startswith(url)
    (request,) = asked
    assert (request.method, request.path_qs) == (method, path)
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in seen.model_dump_json()


async def _why(look: Any, one: Any) -> str:
    """Return why an item is not known."""
    try:
        seen = await look.look(one, None)
    except UnreachableError as error:
        return str(error)
    return seen.seen[0] if seen.met is None else f"it is known: {seen}"


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize(("status", "body"), [(401, {}), (302, {}), (500, {}), (200, {"strange": 1})])
async def test_what_is_no_answer_is_not_known(kind: str, status: int, body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER", "s3cret")
    look, _, more, _, _ = _KINDS[kind]
    async with answering(status, body, []) as url:
        one = item(kind, url=url, token="env:BEARER", **more)
        words = await _why(look, one)
    assert "s3cret" not in words
    assert words.endswith(f"answers {status}") or "is not understood" in words


@pytest.mark.parametrize("kind", _KINDS)
async def test_a_monitor_that_is_silent_is_not_known(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER", "s3cret")
    look, _, more, _, _ = _KINDS[kind]
    with pytest.raises(UnreachableError, match="ClientConnectorError"):
        await look.look(item(kind, url="http://127.0.0.1:1", token="env:BEARER", **more), None)
    server = await asyncio.start_server(lambda *_: asyncio.sleep(3600), "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"does not answer within 0\.2 s"):
            await look.look(item(kind, url=url, token="env:BEARER", within="PT0.2S", **more), None)


async def test_the_step_says_why_an_item_is_not_known(target: PostgresTarget) -> None:
    missing = item("prometheus", url="http://127.0.0.1:1", token="env:NOT_THERE")
    checklist = Checklist(procedures=("postgres-failover",), before=(missing,))
    own = target.model_copy(update={"checklists": {"database": checklist}})
    steps = ChecklistActivities({"prometheus": PrometheusLook()})
    seen = await steps.look(LookRequest(target=own, procedure="postgres-failover", key="it"))
    assert seen.met is None
    assert "NOT_THERE" in seen.seen[0]
