"""The exporter answers at once whatever Temporal does, and never passes what is old for what is."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from activities.run.models.wire import read
from deploy.lab.patience import stretched
from starters.exporter import declared
from starters.exporter.declared import METRICS, families
from starters.exporter.ended import bounded
from starters.exporter.ready import Said, samples_of
from starters.exporter.serving import KEPT_SECONDS, Seen, Shown
from starters.main import app
from tests.observability.conftest import STUBS, exporter, until
from tests.observability.stubs import CHECKS
from tests.ports import free_port
from tests.temporal_server import start_server


def _values(text: str) -> dict[str, float]:
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def _scraped(shown: Shown) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(shown)
    return _values(generate_latest(registry).decode())


def _seen(age: float) -> Seen:
    return Seen((declared.WORKERS.of(2, "failover"),), 0, time.monotonic() - age, 0.1)


def test_before_the_first_look_it_says_that_it_knows_nothing() -> None:
    found = _scraped(Shown(15))
    assert found.pop("failover_exporter_data_age_seconds") != 0
    assert found == {"failover_exporter_up": 0}


def test_what_is_old_is_served_with_its_age_and_then_not_at_all() -> None:
    shown = Shown(15)
    shown.seen, shown.succeeded = _seen(KEPT_SECONDS - 10), True
    found = _scraped(shown)
    assert (found["failover_exporter_up"], found["failover_workers_polling"]) == (0, 2)
    assert found["failover_exporter_data_age_seconds"] == pytest.approx(KEPT_SECONDS - 10, abs=5)
    shown.seen = _seen(KEPT_SECONDS + 1)
    found = _scraped(shown)
    assert "failover_workers_polling" not in found
    assert found["failover_exporter_data_age_seconds"] > KEPT_SECONDS


def test_a_platform_that_takes_long_to_look_at_is_not_blind() -> None:
    shown = Shown(15)
    shown.seen, shown.succeeded = Seen((declared.WORKERS.of(2, "failover"),), 0, time.monotonic() - 70, took=25), True
    found = _scraped(shown)
    assert (found["failover_exporter_up"], found["failover_workers_polling"]) == (1, 2)


def test_two_values_of_the_same_labels_do_not_cost_the_others() -> None:
    twice = [declared.STARTED.of(at, "postgres-failover", "postgres/orders", "planned", "plan") for at in (1.0, 2.0)]
    (family,) = families(twice, [declared.STARTED])
    assert [sample.value for sample in family.samples] == [2.0]


def test_runs_of_many_names_become_one_series() -> None:
    counted = Counter[tuple[str, ...]]({("p", f"postgres/{n}", "planned", "real", "refused"): 1 for n in range(50)})
    counted[("p", "postgres/orders", "planned", "real", "completed")] = 9
    found = dict(bounded(counted, most=10))
    assert len(found) == 11
    assert found[("p", "postgres/orders", "planned", "real", "completed")] == 9
    assert found[("p", "others", "planned", "real", "refused")] == 41


def test_readiness_that_is_overdue_is_unknown_since_it_was_last_looked_at() -> None:
    looked, due = datetime(2026, 11, 30, 2, tzinfo=UTC), datetime(2026, 11, 30, 2, 30, tzinfo=UTC)
    said = read(Said, {"checks": CHECKS, "checked_at": looked, "next_at": due})
    levels = {late: {one.value for one in samples_of(said, due + late)[0]} for late in (timedelta(0), timedelta(hours=1))}
    since = datetime(2026, 11, 30, 1, tzinfo=UTC).timestamp()
    assert levels == {timedelta(0): {0.0, 2.0, since}, timedelta(hours=1): {3.0, looked.timestamp()}}


def test_a_level_that_nobody_knows_is_counted_as_unread() -> None:
    said = read(Said, {"checks": [*CHECKS, {**CHECKS[0], "readiness": "splendid"}]})
    samples, unread = samples_of(said, datetime.now(UTC))
    assert (len(samples), unread) == (4, 1)


def test_names_follow_the_conventions() -> None:
    names = [one.name for one in METRICS]
    assert len(names) == len(set(names)) > 30
    assert [one for one in names if not one.startswith("failover_")] == []
    assert [one.name for one in METRICS if not one.meaning.endswith(".")] == []


@pytest.mark.parametrize("listen", ["9465", "localhost:", "localhost:none", ":1", "localhost:70000"])
def test_an_address_that_is_none_is_refused_in_one_sentence(listen: str) -> None:
    ran = CliRunner().invoke(app, ["metrics", "--listen", listen])
    assert ran.exit_code == 2
    assert "is no ADDRESS:PORT" in ran.output


async def test_a_temporal_that_hangs_holds_up_no_scrape() -> None:
    """It is stopped and goes on: the exporter says so, answers in time, and sees again."""
    port = free_port("127.0.0.1")
    environment = await start_server(port=port)
    server = _program_of(port)
    try:
        async with environment, exporter(environment.client, STUBS, every=0.2) as (own, process):
            await until(lambda: _read(own)["failover_exporter_up"] == 1)
            os.kill(server, signal.SIGSTOP)
            await until(lambda: _read(own)["failover_exporter_data_age_seconds"] > 1)
            began = time.monotonic()
            assert "failover_exporter_data_age_seconds" in await asyncio.to_thread(_read, own)
            assert time.monotonic() - began < stretched(5)
            await until(lambda: _read(own)["failover_exporter_up"] == 0)
            os.kill(server, signal.SIGCONT)
            await until(lambda: _read(own)["failover_exporter_up"] == 1)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, stretched(30)) == 0
    finally:
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGCONT)


def _program_of(port: int) -> int:
    """Return the process of the Temporal that was started with this port."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0].endswith(b"/temporal") and str(port).encode() in arguments:
            return int(folder.name)
    raise AssertionError(port)


def _read(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=stretched(5)) as answer:
        return _values(answer.read().decode())
