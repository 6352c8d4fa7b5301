"""What a cluster may hold and a test server need not: read from memory."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.clients.ports import ForbiddenError, MissingError
from estate.loader import parse_estate
from starters.init.files import FileError, write_both
from starters.init.making import NothingError, make
from starters.init.podsets import secrets_named
from starters.init.questions import Asker
from tests.init import scenes

_SPACE = "shop"
_POSTGRES: dict[str, Any] = {"image": "postgres:16", "ports": [{"containerPort": 5432}]}
_ALL = {"region": "weu", "people": "dana=DBA"}


class Memory:
    """A cluster in memory."""

    def __init__(
        self, *objects: dict[str, Any], forbids: tuple[str, ...] = (), settings: dict[str, Any] | None = None
    ) -> None:
        self.context, self.namespace = "memory", _SPACE
        self._objects, self._forbids, self._settings = objects, forbids, settings or {}

    def objects(self, resource: str, namespace: str = "") -> list[dict[str, Any]]:
        if resource in self._forbids:
            message = f"may not list {resource}"
            raise ForbiddenError(message)
        kind = {"poddisruptionbudgets": "poddisruptionbudget", "ingresses": "ingress"}.get(resource, resource[:-1])
        found = [one for one in self._objects if one["kind"].lower() == kind]
        return [one for one in found if not namespace or one["metadata"].get("namespace", namespace) == namespace]

    def settings(self, namespace: str, name: str) -> dict[str, str]:
        del namespace
        if "configmaps" in self._forbids:
            message = "may not read ConfigMaps"
            raise ForbiddenError(message)
        if name not in self._settings:
            raise MissingError(name)
        found: dict[str, str] = self._settings[name]
        return found


def _made(reader: Memory, **answers: str) -> dict[str, Any]:
    """Return the file that is made with the defaults and these answers; the product accepts it."""
    asker = Asker({**_ALL, **answers}, "answers", takes_defaults=True)
    text = make(reader, [_SPACE], asker, Path("estate.yaml")).text
    parse_estate(Path("estate.yaml"), text)
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _set(name: str, container: dict[str, Any], kind: str = "StatefulSet", **more: Any) -> dict[str, Any]:
    return scenes.controller(kind, _SPACE, name, container, **more)


def test_words_of_the_cluster_cannot_become_keys_of_the_file() -> None:
    hostile = {
        **_POSTGRES,
        "image": "postgres\nrecords: /evil\x1b[2J # :16",
        "env": [{"name": "POSTGRES_DB", "value": "a: b #c"}],
    }
    found = _made(Memory(_set("pg", hostile), scenes.service(_SPACE, "pg", 5432, {"app": "pg"})))
    assert found["records"] == "/var/lib/failover/records"
    assert found["postgres"]["pg"]["database"] == "a: b #c"


def test_a_terminal_is_not_told_control_characters() -> None:
    hostile = {**_POSTGRES, "image": "postgres\x1b]0;x\x07", "env": [{"name": "POSTGRES_DB", "value": "a\x1b[2Jb"}]}
    said = io.StringIO()
    before = {"workers_here": "yes", "location": "x", "postgres.pg.members": "pg-0"}
    before |= {"postgres.pg.name": "pg", "postgres.pg.write_service": "pg"}
    asker = Asker({**_ALL, **before}, "answers", (io.StringIO("\napp" + "\n" * 20), said))
    make(
        Memory(_set("pg", hostile), scenes.service(_SPACE, "pg", 5432, {"app": "pg"})), [_SPACE], asker, Path("estate.yaml")
    )
    assert "\x1b" not in said.getvalue()
    assert "one line of printable text is needed" in said.getvalue()


def test_members_behind_gates_are_those_that_the_gates_name() -> None:
    """Two clusters share every label; their gates tell them apart."""
    gates = [
        {"GATE_CLUSTER": name, "GATE_MEMBERS": f"{name}-a-0,{name}-b-0", "GATE_SERVICE": name, "GATE_DATABASE": "db"}
        for name in ("orders", "ledger")
    ]
    sets = [
        _set(f"{name}-{letter}", {"envFrom": [{"configMapRef": {"name": name}}]}, labels={"app": "pg"})
        for name in ("orders", "ledger")
        for letter in "ab"
    ]
    found = _made(Memory(*sets, settings={gate["GATE_CLUSTER"]: gate for gate in gates}))
    assert {name: one["members"] for name, one in found["postgres"].items()} == {
        "orders": ["orders-a-0", "orders-b-0"], "ledger": ["ledger-a-0", "ledger-b-0"],
    }  # fmt: skip
    assert {name: one["write_service"] for name, one in found["postgres"].items()} == {
        "orders": "orders",
        "ledger": "ledger",
    }


def test_without_configmaps_the_pods_still_show_postgresql() -> None:
    gate = {**_POSTGRES, "envFrom": [{"configMapRef": {"name": "gate"}}]}
    write = scenes.service(_SPACE, "pg-primary", 5432, {})
    reader = Memory(_set("pg-primary", gate), _set("pg-standby", gate), write, forbids=("configmaps",))
    found = _made(reader, **{"postgres.pg.database": "app"})
    assert found["postgres"]["pg"]["members"] == ["pg-primary-0", "pg-standby-0"]
    assert found["postgres"]["pg"]["write_service"] == "pg-primary"


def test_sets_that_differ_by_a_number_are_two_clusters_unless_they_share_a_service() -> None:
    one, two = _set("pg-1", _POSTGRES), _set("pg-2", _POSTGRES)
    answers = {f"postgres.{key}.database": "app" for key in ("pg", "pg-2")} | {
        f"postgres.{key}.write_service": "pg" for key in ("pg", "pg-2")
    }
    apart = _made(Memory(one, two), **answers)["postgres"]
    assert {key: entry["members"] for key, entry in apart.items()} == {"pg": ["pg-1-0"], "pg-2": ["pg-2-0"]}
    for each in (one, two):
        each["spec"]["serviceName"] = "pg-members"
    together = _made(Memory(one, two), **answers)["postgres"]
    assert {key: entry["members"] for key, entry in together.items()} == {"pg": ["pg-1-0", "pg-2-0"]}


def test_a_database_without_members_is_left_out() -> None:
    api = _set("api", {"image": "x:1"}, "Deployment")
    found = _made(Memory(_set("pg", _POSTGRES), api), people="none", **{"postgres.pg.members": "none"})
    assert "postgres" not in found


def test_statefulsets_are_known_by_their_pods_where_they_may_not_be_listed() -> None:
    pods = [
        {
            "kind": "Pod",
            "metadata": {
                "name": f"pg-{number}", "namespace": _SPACE, "labels": {"app": "pg"},
                "ownerReferences": [{"kind": "StatefulSet", "name": "pg"}],
            },
            "spec": {"containers": [_POSTGRES]},
        }
        for number in (1, 0, 2)
    ]  # fmt: skip
    service = scenes.service(_SPACE, "pg", 5432, {"app": "pg"})
    found = _made(Memory(*pods, service, forbids=("statefulsets",)), **{"postgres.pg.database": "app"})
    assert found["postgres"]["pg"]["members"] == ["pg-0", "pg-1", "pg-2"]


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ("pg.shop.svc.cluster.local", True), ("postgresql://u@pg:5432/x", True), ("host=pg.shop user=app", True),
        ("pg", True),
        ("pg.other.svc", False), ("old-pg", False), ("pg-2", False), ("pg.example.com", False), ("xpg", False),
    ],
)  # fmt: skip
def test_an_application_is_one_that_names_the_service_as_a_host(value: str, *, holds: bool) -> None:
    api = _set("api", {"image": "x:1", "env": [{"name": "D", "value": value}]}, "Deployment")
    reader = Memory(_set("pg", _POSTGRES), api, scenes.service(_SPACE, "pg", 5432, {"app": "pg"}))
    cluster = _made(reader, **{"postgres.pg.database": "app"})["postgres"]["pg"]
    assert ("applications" in cluster) is holds


@pytest.mark.parametrize(
    "image", ["postgres-exporter:1", "pgbouncer:1", "pgadmin4:8", "registry/x/postgres-backup:1", "kafka:3"]
)
def test_what_only_sounds_like_a_database_is_none(image: str) -> None:
    with pytest.raises(NothingError, match="shows nothing that could be moved"):
        _made(
            Memory(_set("it", {"image": image, "ports": [{"containerPort": 5432 if "pg" in image else 9187}]})),
            people="none",
        )


def test_sentinels_belong_to_the_servers_whose_name_is_most_like_theirs() -> None:
    redis, sentinel = ({"image": "redis:7", "ports": [{"containerPort": port}]} for port in (6379, 26379))
    sets = [_set(name, redis, replicas=3) for name in ("cache", "queue")]
    sets += [
        _set(f"{name}-sentinel", {**sentinel, "env": [{"name": "MASTER_NAME", "value": name}]}, replicas=3)
        for name in ("cache", "queue")
    ]
    found = _made(Memory(*sets), people="none")["redis"]
    assert {name: one["sentinels"][0] for name, one in found.items()} == {
        "cache": "cache-sentinel-0",
        "queue": "queue-sentinel-0",
    }


def test_names_of_secrets_are_read_and_never_what_they_hold() -> None:
    spec = {
        "volumes": [{"secret": {"secretName": "a"}}, {"projected": {"sources": [{"secret": {"name": "b"}}]}}],
        "containers": [
            {"envFrom": [{"secretRef": {"name": "c"}}], "env": [{"valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}}]}
        ],
    }
    assert secrets_named(spec) == {"a", "b", "c", "d"}


def test_a_file_that_appears_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "estate.yaml"
    out.write_text("mine")
    with pytest.raises(FileError, match="has been made meanwhile"):
        write_both((out, "new"), (tmp_path / "answers.yaml", {"a": "b"}), force=False)
    assert out.read_text() == "mine"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["answers.yaml", "estate.yaml"]
