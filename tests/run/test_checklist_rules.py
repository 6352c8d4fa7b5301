"""How what is read for an item of a checklist is judged: what is missing is not known, and never done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.clients.checks.judged import (
    by_age,
    by_alerts,
    by_rows,
    by_rules,
    by_tables,
    by_vector,
    newest_of_pgbackrest,
    timestamp_in,
)
from activities.run.errors import UnreachableError

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(("minutes", "met"), [(0, True), (59, True), (61, False), (None, False), (-2, True), (-10, None)])
def test_a_backup_is_as_old_as_its_end(minutes: int | None, met: Any) -> None:
    at = None if minutes is None else datetime.now(UTC) - timedelta(minutes=minutes)
    assert by_age(at, HOUR, "backup", "here").met is met


def test_a_time_without_a_zone_is_not_known() -> None:
    assert by_age(datetime.now(UTC).replace(tzinfo=None), HOUR, "backup", "here").met is None


def pgbackrest(*backups: tuple[str, int, bool], code: int = 0) -> str:
    """Return what ``pgbackrest info --output=json`` prints (2.50): a stanza with backups."""
    listed = [{"label": label, "type": "full", "error": error, "timestamp": {"start": stop - 60, "stop": stop}}
              for label, stop, error in backups]  # fmt: skip
    return json.dumps([{"name": "main", "backup": listed, "status": {"code": code, "message": "no valid backups"}}])


def test_the_newest_backup_without_error_counts() -> None:
    at, label = newest_of_pgbackrest(pgbackrest(("old", 1000, False), ("new", 3000, True), ("good", 2000, False)))
    assert (at, label) == (datetime.fromtimestamp(2000, UTC), "good")
    assert newest_of_pgbackrest(pgbackrest(("bad", 3000, True))) == (None, "")


@pytest.mark.parametrize("text", ["", "{}", "[]", '[{"name": "main"}]', pgbackrest(("a", 1, False), code=2)])
def test_an_answer_of_pgbackrest_that_says_nothing_is_not_known(text: str) -> None:
    with pytest.raises(UnreachableError):
        newest_of_pgbackrest(text)


def test_a_command_may_print_a_time() -> None:
    assert timestamp_in("1000\nmore") == datetime.fromtimestamp(1000, UTC)
    assert timestamp_in("2026-11-30T10:00:00+00:00") == datetime(2026, 11, 30, 10, tzinfo=UTC)
    for text in ("", "yesterday", "9" * 30):
        with pytest.raises(UnreachableError):
            timestamp_in(text)


def rules(health: str = "ok", age: int = 5, state: str = "inactive", **labels: str) -> dict[str, Any]:
    """Return an answer of ``/api/v1/rules``."""
    alerts = [{"state": state, "labels": {"alertname": "Down", **labels}, "activeAt": "then"}]
    evaluated = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    rule = {"type": "alerting", "name": "Down", "health": health, "lastEvaluation": evaluated, "alerts": alerts}
    return {"data": {"groups": [{"rules": [rule]}]}}


def test_no_alert_fires_only_where_rules_are_evaluated() -> None:
    assert by_rules(rules(), {}, "p").met is True
    assert by_rules(rules(state="pending"), {}, "p").met is True
    assert by_rules(rules(state="firing"), {}, "p").met is False
    assert by_rules(rules(state="firing", team="db"), {"team": "web"}, "p").met is True
    assert by_rules(rules(state="firing", team="db"), {"team": "db"}, "p").seen == ("Down fires since then",)
    assert by_rules({"data": {"groups": []}}, {}, "p").met is None
    assert by_rules(rules(health="err"), {}, "p").met is None
    assert by_rules(rules(age=3600), {}, "p").met is None
    assert by_rules(rules(health="err", state="firing"), {}, "p").met is False


def test_an_expression_must_return_nothing() -> None:
    vector = {"data": {"resultType": "vector", "result": [{"metric": {"job": "api"}, "value": [1, "0"]}]}}
    assert by_vector(vector, "up == 0", "p").seen == ("{job=api} is 0",)
    assert by_vector(vector, "up == 0", "p").met is False
    nothing = {"data": {"resultType": "vector", "result": []}}
    assert by_vector(nothing, "up == 0", "p").met is True
    assert by_vector({**nothing, "warnings": ["a store is away"]}, "up == 0", "p").met is None
    assert by_vector({"data": {"resultType": "scalar", "result": [1, "0"]}}, "0", "p").met is None


def test_alerts_of_grafana_that_are_active() -> None:
    alert = {"labels": {"alertname": "Down", "team": "db"}, "startsAt": "then", "status": {"state": "active"}}
    assert by_alerts([alert], {}, "g").met is False
    assert by_alerts([alert], {"team": "web"}, "g").met is True
    assert by_alerts([{**alert, "status": {"state": "suppressed"}}], {}, "g").met is True
    assert by_alerts([], {}, "g").met is True


def test_rows_of_application_insights() -> None:
    table = {"columns": [{"name": "name"}, {"name": "n"}], "rows": [["GET /", 12]]}
    assert by_tables({"tables": [table]}, "i").seen == ("name GET /, n 12",)
    assert by_tables({"tables": [table]}, "i").met is False
    assert by_tables({"tables": [{**table, "rows": []}]}, "i").met is True
    assert by_tables({"tables": [{**table, "rows": []}], "error": {"message": "partial"}}, "i").met is None


@pytest.mark.parametrize(
    ("rows", "well"), [([], True), ([(True,)], True), ([(False,)], False), ([(None,)], False), ([(True,), (True,)], False),
                       ([(True, True)], False), ([(1,)], False), ([("t",)], False)]
)  # fmt: skip
def test_a_query_returns_nothing_or_one_true(rows: list[Any], *, well: bool) -> None:
    assert (by_rows("orphans", rows) == "") is well
