"""What ``init`` recognises in a real API server, and that the product accepts what it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from estate.loader import load_estate
from tests.deploy.manifests import BASE
from tests.init import scenes
from tests.init.conftest import Inits

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800), pytest.mark.asyncio(loop_scope="session")]


def _same(written: Any, said: Any, way: str = "") -> list[str]:
    """Return what both say and say differently; names of people and of the region are a person's."""
    if isinstance(written, dict) and isinstance(said, dict):
        return [line for key in written.keys() & said.keys() for line in _same(written[key], said[key], f"{way}.{key}")]
    return [] if written == said else [f"{way}: {written!r}, and not {said!r}"]


@pytest.mark.usefixtures("plain_nodes")
async def test_the_labs_manifests_become_what_the_lab_says_of_itself(init: Inits) -> None:
    answers = init.folder / "given.yaml"
    answers.write_text("{region: eastus, location: East US, people: 'dana=DBA, mona=Manager, carl=CTO'}")
    ran = await init("--namespace", scenes.LAB_SPACE, "--yes", "--answers", str(answers))
    assert ran.code == 0, ran
    load_estate(init.out)
    written = yaml.safe_load(init.out.read_text())
    said = yaml.safe_load((BASE / "worker" / "estate.yaml").read_text())
    said["postgres"]["orders"]["applications"][0].pop("ready_within")  # the default
    for policy in said["postgres"]["orders"]["approvals"].values():
        policy.pop("window")
    assert _same(written, said) == []
    needed = {"region", "database", "members", "write_service", "read_service", "gate", "login", "applications"}
    assert needed <= written["postgres"]["orders"].keys()
    assert {"servers", "sentinels", "password"} <= written["redis"]["mymaster"].keys()
    assert written["workloads"].keys() == said["workloads"].keys()
    assert {"deployment", "service", "port", "path"} <= written["workloads"]["api"].keys()
    assert written["witnesses"] == said["witnesses"]
    assert written["records"] == said["records"]
    assert written["node_pools"].keys() == said["node_pools"].keys()


async def test_other_names_two_databases_and_what_is_none(init: Inits) -> None:
    given = init.folder / "given.yaml"
    given.write_text("{people: dana=DBA, postgres.ledger-postgresql.database: books}")
    ran = await init("--namespace", scenes.SHOP, "--yes", "--answers", str(given))
    assert ran.code == 0, ran
    estate = load_estate(init.out)
    found = {key: (one.members, one.write_service, one.read_service, one.database) for key, one in estate.postgres.items()}
    assert found == {
        "crm-postgresql": (
            ("crm-postgresql-primary-0", "crm-postgresql-read-0"), "crm-postgresql-primary", "crm-postgresql-read", "crm",
        ),
        "ledger-postgresql": (
            ("ledger-postgresql-primary-0", "ledger-postgresql-read-0", "ledger-postgresql-read-1"),
            "ledger-postgresql-primary", "ledger-postgresql-read", "books",
        ),
    }  # fmt: skip
    assert [one.deployment for one in estate.postgres["crm-postgresql"].applications] == ["front"]
    assert estate.postgres["ledger-postgresql"].applications == ()
    assert estate.redis.keys() == {"shop"}
    assert estate.redis["shop"].servers == estate.redis["shop"].sentinels == ("cache-0", "cache-1", "cache-2")
    assert estate.workloads.keys() == {"front", "cloud", scenes.LONG}
    front = estate.workloads["front"]
    assert (front.service, front.port, front.path) == ("front", 80, "/ok")
    assert estate.workloads["cloud"].service is None
    assert {name: one.selector for name, one in estate.node_pools.items()} == {
        pool: {"kubernetes.azure.com/agentpool": pool} for pool in ("system", "apps")
    }
    assert estate.regions["westeurope"].namespace == scenes.SHOP
    for note in (
        "Redis sessions has 1 server(s)",
        "shop.postgres.database.azure.com",
        "Application Gateway",
        "no gates yet",
    ):
        assert note in ran.out
    assert "failover doctor" in ran.out


async def test_each_guess_says_from_what(init: Inits, tmp_path: Path) -> None:
    given = tmp_path / "given.yaml"
    given.write_text("{people: dana=DBA, postgres.ledger-postgresql.database: books}")
    assert (await init("--namespace", scenes.SHOP, "--yes", "--answers", str(given))).code == 0
    text = init.out.read_text()
    for comment in (
        "# StatefulSet crm-postgresql-primary and crm-postgresql-read: image postgresql, port 5432",
        "# a Service with port 5432 that selects these pods; others: crm-postgresql-read",
        "# POSTGRES_DATABASE of its container",
        "# front names Service crm-postgresql-primary",
        "# REDIS_MASTER_SET of StatefulSet cache",
        "# label kubernetes.azure.com/agentpool; 3 nodes, zones westeurope-1, westeurope-2, westeurope-3; mode system",
        "# as answered",
        "# 2 replicas, no PodDisruptionBudget, may share a node",
        "# readiness probe /ok by Service front",
    ):
        assert comment in text, comment
