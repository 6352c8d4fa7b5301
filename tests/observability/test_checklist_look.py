"""A real Prometheus, as an item of a checklist asks it: no alert fires, and none could where no rule is evaluated."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from activities.clients.checks.monitors import PrometheusLook
from activities.run.models.checks import Looked
from deploy.lab.patience import stretched
from estate.check_items import PrometheusItem
from tests.observability.prometheus import prometheus

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("_prometheus_installed")]


def item(port: int, query: str = "") -> PrometheusItem:
    return PrometheusItem(key="it", title="It", kind="prometheus", url=f"http://127.0.0.1:{port}", query=query)


def until(port: int, *, met: bool) -> Looked:
    """Look until it is so: rules are evaluated once in an interval."""
    ends = time.monotonic() + stretched(30)
    while True:
        looked = asyncio.run(PrometheusLook().look(item(port), None))
        if looked.met is met or time.monotonic() > ends:
            return looked
        time.sleep(0.1)


def test_rules_expressions_and_what_is_no_expression(tmp_path: Path) -> None:
    with prometheus(tmp_path, {}, interval="1s") as one:
        seen = until(one.port, met=True)
        assert seen.met is True, seen
        assert "alerting rules fires" in seen.seen[0]
        assert asyncio.run(PrometheusLook().look(item(one.port, "vector(1) > 2"), None)).met is True
        assert asyncio.run(PrometheusLook().look(item(one.port, "vector(3) > 2"), None)).seen == ("{} is 3",)
        assert asyncio.run(PrometheusLook().look(item(one.port, "1 + 1"), None)).met is None
