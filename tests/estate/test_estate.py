"""The estate file: what is wrong is said with file, line, key and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.run.models.inventory import ResolveRequest
from estate.base import EstateError, Reference
from estate.loader import load_estate
from estate.model import Estate
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.resolving import resolve_flexible, resolve_redis, resolve_region, resolve_target

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy/estate.example.yaml"
GOOD = EXAMPLE.read_text(encoding="utf-8")


def _load(folder: Path, text: str) -> Any:
    path = folder / "estate.yaml"
    path.write_text(text, encoding="utf-8")
    return load_estate(path)


def _fault(folder: Path, text: str) -> str:
    with pytest.raises(EstateError) as wrong:
        _load(folder, text)
    return str(wrong.value)


def test_the_example_is_the_platform_of_the_runbook() -> None:
    target = resolve_target(load_estate(EXAMPLE), "orders")
    cluster = target.cluster
    assert (target.region.location, target.region.namespace) == ("East US", "aiagent-prod")
    assert cluster.members == ("postgresql-primary-0", "postgresql-standby-0")
    assert (cluster.write_service, cluster.thresholds.planned_lag) == ("postgresql-primary", 16 * 2**20)
    assert [one.deployment for one in cluster.applications] == ["api-deployment"]
    assert cluster.approvals.planned.needed == 1


def test_a_target_survives_its_journey_through_history() -> None:
    target = resolve_target(load_estate(EXAMPLE), "orders")
    assert PostgresTarget.model_validate_json(target.model_dump_json()) == target


def test_a_target_holds_references_and_no_secrets() -> None:
    target = resolve_target(load_estate(EXAMPLE), "orders")
    assert (target.cluster.gate.token, target.cluster.login.password.partition(":")[0]) == (
        "file:/var/run/secrets/failover/gate/token", "file",
    )  # fmt: skip


def test_an_unknown_cluster_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(EstateError, match=r"^cluster: the estate does not list 'odrers'; it lists orders$"):
        resolve_target(load_estate(EXAMPLE), ResolveRequest(cluster="odrers").cluster)


def _line(part: str) -> int:
    return next(number for number, line in enumerate(GOOD.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "key", "remedy"),
    [
        ("write_service:", "write_sevice:", "postgres.orders.write_sevice", "unknown key"),
        ("window: PT4H", "windw: PT4H", "postgres.orders.approvals.planned.windw", "unknown key"),
        ("forced_lag: PT10S", "forced_lag: soon", "postgres.orders.thresholds.forced_lag", "valid timedelta"),
        ("durability: available", "durability: maybe", "postgres.orders.durability", "'available' or 'strict'"),
        ("password: file:", "password: ", "postgres.orders.login.password", "must be a reference"),
        ("database: aiagent_prod", "database: 7", "postgres.orders.database", "valid string"),
        ("[postgresql-primary-0, postgresql-standby-0]", "[p-0, p-0]", "postgres.orders", "names a pod twice"),
        ("[postgresql-primary-0, postgresql-standby-0]", "[]", "postgres.orders.members", "at least 1"),
        ("namespace: aiagent-prod", "namespace: Not_A_Name", "regions.eastus.namespace", "match pattern"),
        ("{roles: [DBA], window: PT4H}", "{roles: [DBA, DBA]}", "postgres.orders.approvals.planned", "names a role twice"),
        ("{roles: [DBA], window: PT4H}", "{roles: [DBA], quorum: 2}", "postgres.orders.approvals.planned", "quorum is 2"),
    ],
)
def test_names_file_line_key_and_remedy(tmp_path: Path, old: str, new: str, key: str, remedy: str) -> None:
    fault = _fault(tmp_path, GOOD.replace(old, new, 1))
    assert f"{tmp_path / 'estate.yaml'}: line " in fault
    assert (key in fault, remedy in fault, "\n" in fault) == (True, True, False), fault


def test_the_line_is_that_of_the_key(tmp_path: Path) -> None:
    fault = _fault(tmp_path, GOOD.replace("durability: available", "durability: maybe"))
    assert f"line {_line('durability:')}: postgres.orders.durability" in fault


def test_a_key_that_is_missing_is_asked_for(tmp_path: Path) -> None:
    fault = _fault(tmp_path, GOOD.replace("    database: aiagent_prod\n", ""))
    assert (f"line {_line('  orders:')}: " in fault, "postgres.orders.database: missing; add it" in fault) == (True, True)


def test_further_faults_are_counted(tmp_path: Path) -> None:
    fault = _fault(
        tmp_path, GOOD.replace("durability: available", "durability: x").replace("database: aiagent_prod", "x: 1")
    )
    assert fault.endswith("(and 2 more)")


def test_a_region_that_is_not_listed_is_named(tmp_path: Path) -> None:
    fault = _fault(tmp_path, GOOD.replace("region: eastus", "region: estus"))
    assert ("'estus'" in fault, "known: eastus" in fault) == (True, True)


@pytest.mark.parametrize(
    ("name", "allowed"), [("prod_cache", True), ("Cache.1", True), ("-x", False), ("..", False), ("a b", False)]
)
def test_a_redis_master_is_called_as_sentinel_lets_it(tmp_path: Path, name: str, *, allowed: bool) -> None:
    text = GOOD.replace("\n  mymaster:", f"\n  '{name}':").replace("target: mymaster", f"target: '{name}'")
    if allowed:
        found = resolve_redis(_load(tmp_path, text), name)
        assert (found.name, RedisTarget.named(Reference(kind="redis", name=name, digest="")).name) == (name, name)
    else:
        assert "redis" in _fault(tmp_path, text)


def test_a_policy_that_nobody_can_meet_is_refused(tmp_path: Path) -> None:
    fault = _fault(tmp_path, GOOD.replace("dana: [DBA]", "dana: [Manager]"))
    assert "approvals.planned.roles asks for DBA, but nobody under people holds it" in fault


@pytest.mark.parametrize(
    ("old", "again", "key"),
    [
        ("    durability: available\n", "    durability: strict\n", "postgres.orders.durability"),
        ("people:\n", "people: {}\n", "people"),
    ],
)
def test_a_key_that_is_given_twice_is_not_quietly_taken_once(tmp_path: Path, old: str, again: str, key: str) -> None:
    fault = _fault(tmp_path, GOOD.replace(old, f"{again}{old}", 1))
    first = _line(old.strip())
    assert f"line {first + 1}: {key} is given twice, first in line {first}; YAML would" in fault


def test_an_alias_of_what_it_stands_in_is_no_endless_story(tmp_path: Path) -> None:
    assert "regions" in _fault(tmp_path, "regions: &all\n  lab: *all\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a mapping with the keys regions"),
        ("- a\n", "expected a mapping"),
        ("regions: [\n", "line 2: not valid YAML"),
        ("regions: {a: b: c}\n", "line 1: not valid YAML"),
    ],
)
def test_what_is_no_estate_is_said_to_be_none(tmp_path: Path, text: str, words: str) -> None:
    assert words in _fault(tmp_path, text)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(EstateError, match=r"nowhere.yaml: cannot be read: No such file or directory; set FAILOVER_ESTATE"):
        load_estate(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EstateError, match="not UTF-8"):
        load_estate(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        ("{kind: http}", "kind http needs address, the URL of the machines' power interface"),
        ("{kind: http, address: power.example}", "kind http needs address"),
        ("{kind: azure, address: https://power.example}", "kind azure takes no address and no token"),
        ("{kind: azure, token: 'env:TOKEN'}", "kind azure takes no address and no token"),
        ("{kind: ipmi}", "kind"),
    ],
)
def test_machines_fit_their_kind(tmp_path: Path, machines: str, words: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    said = _fault(tmp_path, text.replace("\n    blocked_after", f"\n    machines: {machines}\n    blocked_after", 1))
    assert words in said
    assert "node_pools.workers.machines" in said


@pytest.mark.parametrize("machines", ["{kind: azure, may_end: true}", "{kind: http, address: http://power.example}"])
def test_machines_that_fit_are_taken(tmp_path: Path, machines: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    estate = _load(tmp_path, text.replace("\n    blocked_after", f"\n    machines: {machines}\n    blocked_after", 1))
    assert estate.node_pools["workers"].machines.may_end is ("may_end" in machines)


_REGIONS = """regions:
  eastus: {location: East US, namespace: aiagent-prod}
  westus2: {location: West US 2, namespace: aiagent-prod}
"""
_PAIR = """flexible_servers:
  NAME:
    region: eastus
    subscription: 11111111-2222-3333-4444-555555555555
    servers:
      one: {resource_group: a, region: eastus}
      two: {resource_group: b, region: westus2}
    virtual_endpoint: x
    database: d
    login: {password: "env:X"}
"""


def test_a_pair_of_flexible_servers() -> None:
    estate = Estate.model_validate(yaml.safe_load(_REGIONS + _PAIR.replace("NAME", "db")))
    target = resolve_flexible(estate, "db")
    assert (target.place("two"), target.database.writer) == (
        "two (West US 2)", "x.writer.postgres.database.azure.com",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("region: westus2}", "region: eastus}"), "servers must be two, each in a region of its own"),
        (("two: {", "three: {resource_group: c, region: eastus}\n      two: {"), "servers must be two"),
        (("    region: eastus\n    sub", "    region: westus2x\n    sub"), "region"),
        (("login: {", "nameserver: abc\n    login: {"), "must be the address of a DNS server"),
        (('login: {password: "env:X"', 'login: {password: "env:X", sslmode: allow'), "sslmode"),
        (("database: d", "database: d\n    thresholds: {forced_lag: -PT5M}"), "forced_lag"),
        (("subscription: 1", "subscription: x"), "subscription"),
    ],
)
def test_a_pair_that_cannot_be_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert words in _fault(tmp_path, (_REGIONS + _PAIR.replace("NAME", "db")).replace(*change, 1))


def test_a_server_moves_with_one_entry_only(tmp_path: Path) -> None:
    two = _PAIR.replace("NAME", "db") + _PAIR.replace("NAME", "another").partition("\n")[2]
    assert "which is db's already" in _fault(tmp_path, _REGIONS + two)


def test_a_server_inside_kubernetes_is_no_source_of_a_flexible_server(tmp_path: Path) -> None:
    inside = _PAIR.replace("NAME", "db").replace("one: {", "postgresql-primary-0: {")
    text = GOOD.replace("  # westus2:", "  westus2: {location: West US 2, namespace: aiagent-prod}\n  # westus2:", 1)
    said = _fault(tmp_path, text + inside)
    assert "runs inside Kubernetes" in said
    assert "only between Flexible Servers" in said


_LEAVING = """region_failovers:
  eastus:
    to: westus2
    databases: [db]
    overlay: /etc/failover/overlays/dr
people: {mona: [Manager], dana: [DBA], carl: [CTO]}
"""
_TWO_REGIONS = _REGIONS + _PAIR.replace("NAME", "db") + _LEAVING


def test_a_region_that_fails_over() -> None:
    target = resolve_region(Estate.model_validate(yaml.safe_load(_TWO_REGIONS)), "eastus")
    assert target.settings.approvals.recovery.roles == ("DBA",)
    policy = target.settings.approvals.of("forced")
    assert (policy.roles, target.objective.rto, target.objective.rpo) == (
        ("Manager", "DBA", "CTO"), timedelta(hours=4), timedelta(minutes=15),
    )  # fmt: skip
    assert [target.server_in(target.settings.to, one) for one in target.databases] == ["two"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("to: westus2", "to: mars"), "region_failovers.eastus.to.region names 'mars'"),
        (("to: westus2", "to: eastus"), "names eastus itself"),
        (("[db]", "[dbb]"), "names 'dbb', which flexible_servers does not list; known: db"),
        (("[db]", "[]"), "databases"),
        (("/etc", "etc"), "give an absolute path"),
        (("carl: [CTO]", "carl: [DBA]"), "asks for CTO, but nobody under people holds it"),
        (
            ("    overlay", "    approvals: {recovery: {roles: [Owner]}}\n    overlay"),
            "region_failovers.eastus.approvals.recovery.roles asks for Owner, but nobody under people holds it",
        ),
        (("    overlay", "    overlays: x\n    overlay"), "unknown key"),
        (("    overlay", "    ready: {selector: 'app in (api)'}\n    overlay"), "selector"),
        (("    overlay", "    checks: {url: 'ftp://x'}\n    overlay"), "url"),
        (
            ("    overlay", "    approvals: {forced: {roles: [CTO]}}\n    overlay"),
            "must ask for every role of flexible_servers.db.approvals.forced (DBA)",
        ),
        (
            ("    overlay", "    approvals: {forced: {roles: [CTO, DBA], quorum: 1}}\n    overlay"),
            "without a quorum: they count there too",
        ),
    ],
)
def test_a_region_that_cannot_fail_over_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    asks = "    approvals: {forced: {roles: [DBA]}}\n    virtual_endpoint"
    text = _TWO_REGIONS.replace("    virtual_endpoint", asks)
    assert words in _fault(tmp_path, text.replace(*change, 1))


@pytest.mark.parametrize(("given", "left_out"), [("planned", "forced"), ("forced", "planned"), ("recovery", "forced")])
def test_a_policy_of_a_region_that_is_left_out_asks_all_and_not_nobody(given: str, left_out: str) -> None:
    text = _TWO_REGIONS.replace("    overlay", f"    approvals: {{{given}: {{roles: [DBA]}}}}\n    overlay")
    target = resolve_region(Estate.model_validate(yaml.safe_load(text)), "eastus")
    assert target.settings.approvals.of(left_out).roles == ("Manager", "DBA", "CTO")


_LED = """traffic:
  api:
    region: eastus
    subscription: 00000000-0000-0000-0000-000000000000
    edge: {url: "https://api.example"}
    regions: {eastus: {health: "https://east.example"}, westus2: {health: "https://west.example"}}
    traffic_manager: {resource_group: rg, profile: tm, endpoints: {eastus: east, westus2: west}}
    approvals: {planned: {roles: [CTO]}}
"""
_WITH_TRAFFIC = _LED + _TWO_REGIONS.replace("    overlay", "    traffic: [api]\n    overlay", 1)


def test_traffic_that_moves_with_a_region() -> None:
    assert resolve_region(Estate.model_validate(yaml.safe_load(_WITH_TRAFFIC)), "eastus").settings.traffic == ("api",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("traffic: [api]", "traffic: [apis]"), "traffic names 'apis', which traffic does not list; known: api"),
        (("    to: westus2", "    to: centralus"), "it must be able to lead to eastus and centralus"),
        (
            ("    overlay", "    approvals: {planned: {roles: [CTO]}, forced: {roles: [DBA]}}\n    overlay"),
            "region_failovers.eastus.approvals.forced must ask for every role of traffic.api.approvals.planned (CTO)",
        ),
    ],
)
def test_traffic_that_cannot_move_with_a_region_is_refused(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    text = _WITH_TRAFFIC.replace(*change, 1)
    if "centralus" in text:
        text = text.replace("  westus2: {", "  centralus: {location: Central US, namespace: aiagent-prod}\n  westus2: {", 1)
        text = text.replace("region: westus2", "region: centralus")
    assert words in _fault(tmp_path, text)
