"""How what was read is judged: pure, so that each rule is a plain test. What is missing is not known, and never done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked

_CLOCKS_DIFFER = timedelta(minutes=5)
_MOST_RULES_OLD = timedelta(minutes=15)


def judged(source: str, *seen: str, met: bool | None) -> Looked:
    """Return what one look has found, now."""
    return Looked(met=met, source=source, seen=seen, at=datetime.now(UTC))


def by_age(at: datetime | None, wanted: timedelta, what: str, source: str) -> Looked:
    """Return whether something of the time ``at`` is new enough; ``None``: there is none, which is known and not done."""
    if at is None:
        return judged(source, f"no {what}", met=False)
    if at.tzinfo is None:
        return judged(source, f"{what} of {at:%Y-%m-%d %H:%M:%S}, without a time zone", met=None)
    age = datetime.now(UTC) - at
    told = f"{what} of {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if age < -_CLOCKS_DIFFER:
        return judged(source, f"{told}, which is {-age.total_seconds() / 60:.0f} min ahead of the worker's clock", met=None)
    return judged(source, f"{told}, {_minutes(age)} old, wanted {_minutes(wanted)} at most", met=age <= wanted)


def newest_of_pgbackrest(text: str) -> tuple[datetime | None, str]:
    """Return when the newest backup without error ended, and its label, by ``pgbackrest info --output=json``.

    Raises:
        UnreachableError: it is no such text, or a stanza says that it is not well.

    """
    try:
        stanzas = json.loads(text)
        ill = [f"{one['name']}: {one['status']['message']}" for one in stanzas if one["status"]["code"] != 0]
        backups = [
            (datetime.fromtimestamp(backup["timestamp"]["stop"], UTC), str(backup["label"]))
            for one in stanzas
            for backup in one["backup"]
            if not backup.get("error")
        ]
    except (ValueError, KeyError, TypeError) as error:
        message = f"pgbackrest: its answer is not understood: {type(error).__name__} {str(error)[:100]}"
        raise UnreachableError(message) from error
    if ill or not stanzas:
        raise UnreachableError(f"pgbackrest: {'; '.join(ill) or 'it knows no stanza'}")
    return max(backups, default=(None, ""))


def timestamp_in(text: str) -> datetime:
    """Return the time on the first line: ISO 8601 with its zone, or seconds since 1970. UnreachableError: it is none."""
    line = next(iter(text.strip().splitlines()), "").strip()
    try:
        if line.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(line), UTC)
        return datetime.fromisoformat(line)
    except (ValueError, OverflowError, OSError) as error:
        raise UnreachableError(f"its first line is no time: {line[:60]!r}") from error


def has(labels: object, wanted: Mapping[str, str]) -> bool:
    """Whether an alert has the labels."""
    return isinstance(labels, dict) and all(labels.get(name) == value for name, value in wanted.items())


def by_rules(answer: Any, wanted: Mapping[str, str], source: str) -> Looked:  # noqa: ANN401 - JSON of Prometheus
    """Return whether no alert with the labels fires, by ``/api/v1/rules?type=alert``.

    Where no rule is evaluated nothing can fire: a server without alerting rules, or one whose rules fail or were evaluated
    long ago, is not known.
    """
    rules = [rule for group in answer["data"]["groups"] for rule in group["rules"] if rule.get("type") == "alerting"]
    if not rules:
        return judged(source, "it has no alerting rule, so nothing can fire", met=None)
    firing = [
        f"{alert['labels'].get('alertname', rule['name'])} fires since {alert.get('activeAt', 'unknown')}"
        for rule in rules
        for alert in rule.get("alerts", ())
        if alert.get("state") == "firing" and has(alert.get("labels"), wanted)
    ]
    if firing:
        return judged(source, *firing, met=False)
    ill = [f"rule {rule['name']} is not evaluated: {rule.get('lastError') or rule.get('health')}" for rule in rules
           if rule.get("health") != "ok" or _is_old(rule.get("lastEvaluation"))]  # fmt: skip
    if ill:
        return judged(source, *ill, met=None)
    return judged(source, f"none of {len(rules)} alerting rules fires", met=True)


def _is_old(evaluated: object) -> bool:
    try:
        return datetime.now(UTC) - datetime.fromisoformat(str(evaluated)) > _MOST_RULES_OLD
    except (ValueError, TypeError):
        return True


def by_vector(answer: Any, query: str, source: str) -> Looked:  # noqa: ANN401 - JSON of Prometheus
    """Return whether an expression returns nothing, by ``/api/v1/query``. An answer that warns is not known."""
    if answer.get("warnings"):
        return judged(source, *map(str, answer["warnings"]), met=None)
    data = answer["data"]
    if data["resultType"] != "vector":
        return judged(source, f"{query} returns a {data['resultType']}; write an expression that returns a vector", met=None)
    found = [f"{_labels(one['metric'])} is {one['value'][1]}" for one in data["result"]]
    return judged(source, *(found or [f"{query} returns nothing"]), met=not found)


def by_alerts(answer: Any, wanted: Mapping[str, str], source: str) -> Looked:  # noqa: ANN401 - JSON of Grafana
    """Return whether no alert with the labels is active, by Alertmanager's list."""
    active = [
        f"{one['labels'].get('alertname', 'an alert')} is active since {one.get('startsAt', 'unknown')}"
        for one in answer
        if one["status"]["state"] == "active" and has(one["labels"], wanted)
    ]
    return judged(source, *(active or [f"no alert is active, of {len(answer)} listed"]), met=not active)


def by_tables(answer: Any, source: str) -> Looked:  # noqa: ANN401 - JSON of Application Insights
    """Return whether a query returns no row. An answer that is partial is not known."""
    if answer.get("error"):
        return judged(
            source, f"the answer is partial: {str(answer['error'].get('message', answer['error']))[:200]}", met=None
        )
    table = answer["tables"][0]
    names = [column["name"] for column in table["columns"]]
    found = [", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True))[:200] for row in table["rows"]]
    return judged(source, *(found or ["no row"]), met=not found)


def by_rows(name: str, rows: list[tuple[Any, ...]]) -> str:
    """Return what a query of an SQL suite has found that must not be; empty: no row, or one row with one ``true``."""
    if not rows or (len(rows) == 1 and len(rows[0]) == 1 and rows[0][0] is True):  # 1 equals true
        return ""
    more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
    return f"{name}: {', '.join(map(str, rows[0]))[:200]}{more}"


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(labels.items())) + "}"


def _minutes(span: timedelta) -> str:
    minutes = span.total_seconds() / 60
    return f"{minutes / 60:.1f} h" if minutes >= 600 else f"{minutes:.0f} min"  # noqa: PLR2004 - ten hours
