"""A region with two databases of which the second is refused once the first has moved: nothing is undone, and it is said."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from temporalio.client import Client, WorkflowExecutionStatus

from activities.clients.ports import ForbiddenError
from activities.region.failover_models import DatabaseMove, RegionDetails
from activities.run.models.todo import Todo
from tests.azure.pair import AzurePair
from tests.fakes.faults import Fault
from tests.postgres.bench import Handle
from tests.region import bench as benches
from tests.region.bench import DATABASE
from tests.region.clusters import PODS, Clusters
from tests.region.failover_bench import RegionFailoverBench, leaving
from tests.region.second_pair import SECOND, Both, SecondPair
from tests.run.cancels import cancel
from workflows.region import database
from workflows.region.plan_lines import moved_lines

_SERVERS = {"eastus": "billing-postgres", "westus2": "billing-postgres-dr"}
_HEALTHY: dict[str, Any] = {"refusal": None, "behind": 0, "sql_error": ""}
_TROUBLES: dict[str, dict[str, Any]] = {
    "refused": {"refusal": ForbiddenError("Azure says 403 AuthorizationFailed")},
    "lagging": {"behind": 20_000_000},
    "closed": {"sql_error": "password authentication failed"},
}
_WORDS = {"refused": "403 AuthorizationFailed", "closed": "password authentication failed"}


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> SecondPair:
    """Let the bench ask a second pair, too."""
    pair = SecondPair(*_SERVERS.values())
    for name in ("AzureFlexible", "FlexibleSqlClient"):
        real = getattr(benches, name)
        monkeypatch.setattr(benches, name, lambda *given, real=real: Both(real(*given), pair))
    return pair


@pytest_asyncio.fixture(loop_scope="session")
async def two(
    temporal: Client, shared: AzurePair, tmp_path: Path, clusters: Clusters, second: SecondPair
) -> AsyncIterator[RegionFailoverBench]:
    """Serve a region with two databases, of which only the first is real."""
    async with leaving(temporal, shared, tmp_path, clusters) as one:
        second.leader = _SERVERS[one.lost]
        content = yaml.safe_load(one.estate.read_text(encoding="utf-8"))
        entry = copy.deepcopy(content["flexible_servers"][DATABASE])
        entry["virtual_endpoint"], entry["database"] = "billing", "billing"
        entry["servers"] = {server: {"resource_group": "rg", "region": region} for region, server in _SERVERS.items()}
        content["flexible_servers"][SECOND] = entry
        content["region_failovers"][one.lost]["databases"] = [DATABASE, SECOND]
        one.estate.write_text(yaml.safe_dump(content), encoding="utf-8")
        yield one


def _break(second: SecondPair, trouble: dict[str, Any]) -> None:
    for name, value in trouble.items():
        setattr(second, name, value)


async def _stranded(two: RegionFailoverBench, second: SecondPair, mode: str, trouble: dict[str, Any]) -> tuple[str, Handle]:
    """Fail over; the second database is in ``trouble`` from the moment on at which Azure promotes the first one."""
    held = two.faults.order("region.await_promotion", Fault.HANGS)
    handle = await two.approved(mode)
    await held.reached.wait()
    _break(second, trouble)
    two.faults.release()
    end, told = await two.ending(handle)
    assert (end, await two.leads_there(), second.promoted) == ("Stranded", True, []), told
    return told, handle


async def _must_go_on(two: RegionFailoverBench, second: SecondPair, mode: str) -> None:
    """Start it again; the first database is left as it is, and the second one follows."""
    end, told = await two.ending(await two.approved(mode))
    assert (end, second.promoted, two.changes()) == ("completed", [_SERVERS[two.surviving]], ["PATCH 202"]), told
    report = two.report()
    assert [one.name for one in report.of(RegionDetails).moved] == [DATABASE, SECOND]
    assert len(report.of(RegionDetails).traffic) == 1
    assert (await two.scales(), await two.there(), await two.holder()) == (dict.fromkeys(PODS, 0), (2, "api:dr"), "")


@pytest.mark.parametrize("why", ["refused", "closed"])
async def test_what_has_moved_stays_and_the_run_says_what_has_not(
    two: RegionFailoverBench, second: SecondPair, why: str
) -> None:
    told, handle = await _stranded(two, second, "planned", _TROUBLES[why])
    assert f"database {SECOND}: " in told
    assert _WORDS[why] in told
    assert f"moved to {two.surviving} for good: {DATABASE}; not moved: {SECOND}; no traffic was led" in told
    assert f"failover start region-failover {two.lost} with the same options" in told
    report = two.report()
    left = {(one.kind, one.subject) for one in report.left_to_do}
    assert {(Todo.PROMOTE, SECOND), (Todo.TRAFFIC, "api")} <= left
    assert (Todo.PROMOTE, DATABASE) not in left
    details = report.of(RegionDetails)
    assert ([one.name for one in details.moved], details.traffic, report.undone) == ([DATABASE], (), ())
    assert (await two.scales(), await two.there()) == (PODS, (2, "api:dr")), "the old region serves, the new one could"
    assert await two.holder() == f"{handle.id}/{handle.first_execution_run_id}"


async def test_a_lost_region_stays_fenced_and_is_fenced_when_it_returns(
    two: RegionFailoverBench, second: SecondPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ONE_LOOK", timedelta(seconds=0.5))
    await two.lose_database()
    second.lost = second.leader
    told, handle = await _stranded(two, second, "forced", _TROUBLES["refused"])
    assert f"not moved: {SECOND}" in told
    assert (await two.scales(), await two.there()) == (dict.fromkeys(PODS, 0), (PODS["api-deployment"], "api:1"))
    assert two.report().of(RegionDetails).traffic == ()
    assert await two.holder() == f"{handle.id}/{handle.first_execution_run_id}"
    assert (await two.fence.describe()).status is WorkflowExecutionStatus.RUNNING
    _break(second, _HEALTHY)
    await _must_go_on(two, second, "forced")


async def test_a_second_start_is_refused_by_name_while_the_second_database_lags_and_goes_on_with_it_then(
    two: RegionFailoverBench, second: SecondPair
) -> None:
    told, _ = await _stranded(two, second, "planned", _TROUBLES["lagging"])
    assert "has 20000000 bytes of WAL to replay" in told
    end, told = await two.ending(await two.leave())
    assert (end, second.promoted, await two.leads_there()) == ("LagTooLarge", [], True), told
    assert told.startswith("1 of ")
    assert f"database {SECOND}: {_SERVERS[two.surviving]} has 20000000 bytes" in told
    assert await two.scales() == PODS
    _break(second, _HEALTHY)
    await _must_go_on(two, second, "planned")


async def test_a_cancel_while_the_first_one_moves_changes_nothing(two: RegionFailoverBench, second: SecondPair) -> None:
    held = two.faults.order("region.await_promotion", Fault.HANGS)
    handle = await two.approved()
    await held.reached.wait()
    await cancel(handle)
    two.faults.release()
    end, told = await two.ending(handle)
    assert (end, second.promoted, two.changes()) == ("completed", [_SERVERS[two.surviving]], ["PATCH 202"]), told


async def test_a_cancel_before_the_second_one_moves_does_not_reach_it(two: RegionFailoverBench, second: SecondPair) -> None:
    """Its own run has only looked, and would hear a cancel."""
    first = two.faults.order("region.await_promotion", Fault.HANGS)
    handle = await two.approved()
    await first.reached.wait()
    two.faults.release()
    held = two.faults.order("region.survey_database", Fault.HANGS)
    await held.reached.wait()
    await cancel(handle)
    two.faults.release()
    end, told = await two.ending(handle)
    assert (end, second.promoted, two.changes()) == ("completed", [_SERVERS[two.surviving]], ["PATCH 202"]), told


async def test_a_second_database_that_is_refused_before_anything_moved_leaves_all_as_it_was(
    two: RegionFailoverBench, second: SecondPair
) -> None:
    """The order is the estate's: here the one that is refused comes first."""
    two.change_entry(databases=[SECOND, DATABASE])
    _break(second, _TROUBLES["refused"])
    end, told = await two.ending(await two.approved())
    assert (end, two.changes(), second.promoted) == ("RolledBack", [], []), told
    assert "moved to" not in told
    assert await two.is_as_before()


_THREE = tuple(DatabaseMove(name=one, server=f"{one}-dr", already=one == "orders") for one in ("orders", "billing", "audit"))


@pytest.mark.parametrize(
    ("databases", "known", "doubtful", "told"),
    [
        (_THREE[1:], set(), "", ""),
        (_THREE[1:], set(), "billing", ""),
        (_THREE[:2], set(), "", "; moved to westus2 for good: orders; not moved: billing"),
        (_THREE, {"billing"}, "", "; moved to westus2 for good: orders, billing; not moved: audit"),
        (_THREE, set(), "billing", "; moved to westus2 for good: orders; perhaps moved: billing; not moved: audit"),
    ],
)
def test_each_database_is_told_by_name(
    databases: tuple[DatabaseMove, ...], known: set[str], doubtful: str, told: str
) -> None:
    assert moved_lines(databases, known, doubtful, "westus2") == told
