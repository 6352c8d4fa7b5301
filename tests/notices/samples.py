"""A run as it is seen from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.notices.models import Facts, Need, Settings
from estate.notices import Event

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
APPROVAL = Need(event=Event.APPROVAL, key="abcd1234", what="1 of DBA (dana)", command="failover approve postgres/orders")
FACTS = Facts(
    workflow_id="postgres/orders",
    run_id="r1",
    workflow="postgres-failover",
    started_at=NOON,
    mode="planned",
    by="omar",
    reason="maintenance",
    headline="A → B",
)


def facts(**changes: Any) -> Facts:
    return FACTS.model_copy(update=changes)


def settings(**changes: Any) -> Settings:
    return Settings(
        targets={"phone": tuple(Event), "manager": ()},
        repeat_every=15 * MINUTE,
        escalate_after=30 * MINUTE,
        escalate_to=("manager",),
        give_up_after=60 * MINUTE,
    ).model_copy(update=changes)
