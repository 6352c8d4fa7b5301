"""What stops ``init``: one sentence each, and nothing is written."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml

from estate.loader import load_estate
from tests.init import scenes
from tests.init.conftest import Inits

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800), pytest.mark.asyncio(loop_scope="session")]


async def test_open_questions_are_all_listed_at_once(init: Inits) -> None:
    ran = await init("--namespace", scenes.SHOP)
    assert ran.code == 2
    assert "questions are open; nothing was written" in ran.err
    for key in ("people: TODO", "workloads: TODO", "postgres.ledger-postgresql.database: TODO", "records: TODO"):
        assert f"  {key}" in ran.err, key
    assert "[crm-postgresql-primary]" in ran.err, "a default is shown"
    assert init.nothing_was_written()


async def test_defaults_leave_what_nothing_shows(init: Inits) -> None:
    ran = await init("--namespace", scenes.SHOP, "--yes")
    assert ran.code == 2
    assert "2 questions are open" in ran.err
    assert "people: TODO" in ran.err
    assert "postgres.ledger-postgresql.database: TODO" in ran.err
    assert init.nothing_was_written()


async def test_several_namespaces_are_a_question(init: Inits) -> None:
    ran = await init()
    assert ran.code == 2
    assert "namespace: TODO   # Which namespace holds the platform? [shop-prod]" in ran.err
    assert init.nothing_was_written()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("people: dana=CTO", "people: nobody holds DBA, whose approval you have asked for"),
        ("people: dana", "people: 'dana': write NAME=ROLE"),
        ("region: East US", "region: 'East US' is no name"),
        ("workers_here: perhaps", "workers_here: 'perhaps': yes or no is needed"),
        ("workloads: [front, back]", "workloads: 'back' is none of"),
        ("postgres.crm-postgresql.password: secret", "postgres.crm-postgresql.password: a reference is needed"),
        ("people: {dana: DBA}", "people: a text, a number or a list of texts is needed"),
        ("- people", "is no list of answers"),
        ("people: [", "is not valid YAML"),
    ],
)
async def test_an_answer_that_does_not_fit_is_named(init: Inits, tmp_path: Path, answer: str, says: str) -> None:
    given = tmp_path / "given.yaml"
    given.write_text(answer)
    ran = await init("--namespace", scenes.SHOP, "--yes", "--answers", str(given))
    assert ran.code == 2
    assert says in ran.err
    assert "nothing was written" in ran.err
    assert init.nothing_was_written()
    assert given.read_text() == answer


async def test_a_file_is_never_overwritten_without_force(init: Inits) -> None:
    init.out.write_text("mine")
    init.answers.write_text("people: dana=DBA\npostgres.ledger-postgresql.database: books\n")
    refused = await init("--namespace", scenes.SHOP, "--yes")
    assert (refused.code, init.out.read_text()) == (2, "mine")
    assert "exists and is never overwritten" in refused.err
    assert (await init("--namespace", scenes.SHOP, "--yes", "--force")).code == 0
    load_estate(init.out)
    assert sorted(one.name for one in init.folder.iterdir()) == [init.answers.name, init.out.name], "no scratch file is left"


async def test_a_second_run_asks_nothing_and_writes_the_same(init: Inits) -> None:
    init.answers.write_text("people: dana=DBA\npostgres.ledger-postgresql.database: books\n")
    assert (await init("--namespace", scenes.SHOP, "--yes")).code == 0
    first, kept = init.out.read_text(), init.answers.read_text()
    init.out.unlink()
    assert (await init("--namespace", scenes.SHOP)).code == 0
    assert yaml.safe_load(init.out.read_text()) == yaml.safe_load(first)
    assert init.answers.read_text() == kept


async def test_an_answer_to_nothing_is_told(init: Inits) -> None:
    init.answers.write_text("people: dana=DBA\npostgres.ledger-postgresql.database: books\npeeple: x\n")
    ran = await init("--namespace", scenes.SHOP, "--yes", "--output", "json")
    assert ran.code == 0
    assert ran.document["unused_answers"] == ["peeple"]
    assert ran.document["found"]["redis"] == ["shop"]
    assert "peeple: x" in init.answers.read_text()


async def test_an_empty_namespace_or_a_wrong_name(init: Inits) -> None:
    for name in (scenes.EMPTY, "shop-pord"):
        ran = await init("--namespace", name, "--yes")
        assert ran.code == 2
        assert f"namespace {name} of context reader has no StatefulSet and no Deployment" in ran.err
    assert init.nothing_was_written()


async def test_an_account_that_may_list_nothing(init: Inits) -> None:
    ran = await init("--yes", context="nobody")
    assert ran.code == 1
    assert "context nobody may not list StatefulSets of all namespaces; name your namespace with --namespace" in ran.err
    ran = await init("--yes", "--namespace", scenes.SHOP, context="nobody")
    assert ran.code == 1
    assert f"context nobody may not list StatefulSets of namespace {scenes.SHOP}; nothing was written" in ran.err
    assert init.nothing_was_written()


async def test_what_may_not_be_listed_is_said_and_asked(init: Inits) -> None:
    ran = await init("--yes", "--namespace", scenes.SHOP, context="member")
    assert ran.code == 2
    assert "region: TODO" in ran.err
    init.answers.write_text(
        "people: dana=DBA\npostgres.ledger-postgresql.database: books\nregion: westeurope\nnode_pools: [apps]\n"
    )
    ran = await init("--yes", "--namespace", scenes.SHOP, context="member")
    assert ran.code == 0, ran
    assert ran.out.count("not seen: context member may not list Nodes") == 1
    estate = load_estate(init.out)
    assert estate.node_pools["apps"].selector == {"agentpool": "apps"}
    assert "# not seen: context member may not list Nodes" in init.out.read_text()


async def test_who_sees_neither_pods_nor_statefulsets_names_them(init: Inits) -> None:
    ran = await init("--yes", "--namespace", scenes.SHOP, context="scout")
    assert ran.code == 2
    assert "postgres.members: TODO   # Which pods of namespace shop-prod" in ran.err
    init.answers.write_text(
        "{people: dana=DBA, region: westeurope, postgres.members: 'pg-0, pg-1', postgres.postgres.write_service: pg,"
        " postgres.postgres.database: books, redis.servers: none}"
    )
    ran = await init("--yes", "--namespace", scenes.SHOP, context="scout")
    assert ran.code == 0, ran
    assert load_estate(init.out).postgres["postgres"].members == ("pg-0", "pg-1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "kubeconfig: there is none at "),
        ("", "is empty"),
        ("{contexts: [", "cannot be used"),
        ("{contexts: [], clusters: [], users: []}", "context: the kubeconfig has no 'reader'; it has none"),
        ("[]", "cannot be used"),
    ],
)
async def test_a_kubeconfig_that_is_none(init: Inits, tmp_path: Path, content: str | None, says: str) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    ran = await init(KUBECONFIG=str(file))
    assert ran.code == 2, ran
    assert says in ran.err
    assert init.nothing_was_written()


async def test_a_context_that_is_not_there(init: Inits) -> None:
    wrong = await init(context="production")
    assert "context: the kubeconfig has no 'production'; it has admin, member, nobody, reader, scout" in wrong.err
    none = await init(context="")
    assert "context: missing, and the kubeconfig has no current one" in none.err
    assert (wrong.code, none.code) == (2, 2)


async def test_an_api_server_that_does_not_answer(init: Inits, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = yaml.safe_load(init.server.kubeconfig.read_text())
    found["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(found))
    ran = await init(KUBECONFIG=str(tmp_path / "kubeconfig"))
    assert ran.code == 1
    assert f"the API server at https://127.0.0.1:{port} does not answer: it refuses the connection" in ran.err
    found["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{init.server.port}"
    found["users"] = [{"name": one["name"], "user": {"token": "wrong"}} for one in found["users"]]
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(found))
    ran = await init(KUBECONFIG=str(tmp_path / "kubeconfig"))
    assert ran.code == 1
    assert "does not know the account of context reader (401)" in ran.err


async def test_a_directory_that_is_not_there(init: Inits) -> None:
    ran = await init("--yes", "--out", str(init.folder / "nowhere" / "estate.yaml"))
    assert ran.code == 2
    assert "does not exist; make it" in ran.err
    ran = await init("--yes", "--out", os.fspath(init.folder))
    assert "is a directory" in ran.err
