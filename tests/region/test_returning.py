"""Who leads, and what a server in a lost region is: decided from what Azure, the endpoint and SQL say. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activities.region.changing import found_of, is_reached
from activities.region.failover_models import Scale
from activities.region.following import follower_of
from activities.region.models import Role
from activities.region.returning import _judged
from activities.region.returning_models import DatabaseStanding, Goal, Lead, Old, Returned, ServerOrder, Verdict
from activities.region.standing import standing_of
from activities.run.models.diagnosis import Silence
from activities.run.models.wire import RunId
from tests.region.samples import NEW, NOW, OLD, TARGET, survey
from workflows.region.recovery_planning import rebuilding

_RUN = RunId(workflow_id="region-fence/eastus", run_id="1")
_MOVED: dict[str, Any] = {
    "new_azure": {"role": Role.PRIMARY, "source": ""},
    "new_sql": {"in_recovery": False},
    "old_azure": {"role": Role.REPLICA, "source": NEW},
    "old_sql": {"in_recovery": True},
    "endpoint": {"members": (NEW, OLD), "leads_to": NEW},
}
"""Of the healthy pair whose other server leads: NEW leads, OLD follows."""


def _moved(**changes: dict[str, Any]) -> DatabaseStanding:
    parts = {name: {**part, **changes.get(name, {})} for name, part in _MOVED.items()}
    return standing_of(TARGET, survey(**parts), NEW)


def test_the_server_in_the_surviving_region_leads_and_the_other_follows() -> None:
    seen = _moved()
    assert (seen.lead, seen.old, seen.server, seen.leader) == (Lead.SURVIVOR, Old.FOLLOWS, OLD, NEW)


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": {"leads_to": OLD}},
        {"endpoint": {"leads_to": ""}},
        {"endpoint": {"members": (OLD, NEW)}},
        {"endpoint": {"members": ()}},
        {"new_azure": {"role": Role.UNKNOWN}},
        {"new_azure": {"role": Role.REPLICA}},
        {"new_sql": {"in_recovery": None}},
        {"new_sql": {"in_recovery": True}},
    ],
)
def test_one_word_that_is_missing_or_another_one_and_nobody_is_known_to_lead(changes: dict[str, Any]) -> None:
    seen = _moved(**changes)
    assert seen.lead is Lead.UNKNOWN
    assert Returned(at=NOW, databases=(seen,)).verdict is Verdict.WAIT
    assert "it is not known that" in seen.words


def test_the_lost_region_leads_only_where_the_other_server_is_its_replica_and_ready() -> None:
    assert standing_of(TARGET, survey(), NEW).lead is Lead.LOST
    busy = survey(new_azure={"state": "Updating"})
    assert standing_of(TARGET, busy, NEW).lead is Lead.UNKNOWN, "a promotion may be under way"


_PRIMARY = {"role": Role.PRIMARY, "source": ""}
_GONE = {"in_recovery": None, "error": "no route"}


@pytest.mark.parametrize(
    ("azure", "sql", "old"),
    [
        (_PRIMARY, {"in_recovery": False}, Old.WRITES),
        ({}, {"in_recovery": False}, Old.WRITES),
        (_PRIMARY, {**_GONE, "silence": Silence.NO_ROOM}, Old.WRITES),
        ({**_PRIMARY, "state": "Updating"}, {"in_recovery": False}, Old.SETTLES),
        (_PRIMARY, {**_GONE, "silence": Silence.TURNED_AWAY}, Old.ANSWERS),
        (_PRIMARY, {**_GONE, "silence": Silence.NO_CONNECTION}, Old.SILENT),
        (_PRIMARY, {"in_recovery": True}, Old.SETTLES),
        ({**_PRIMARY, "state": "Stopped"}, _GONE, Old.STOPPED),
        ({}, _GONE, Old.FOLLOWS),
        ({"role": Role.UNKNOWN, "error": "Azure is silent", "state": ""}, _GONE, Old.SILENT),
    ],
)
def test_what_the_old_server_is(azure: dict[str, Any], sql: dict[str, Any], old: Old) -> None:
    assert _moved(old_azure=azure, old_sql=sql).old is old


def _app(**told: Any) -> Scale:
    return Scale(**{"name": "api", "wanted": 0, **told})


@pytest.mark.parametrize(
    ("application", "old", "verdict"),
    [
        (_app(), Old.FOLLOWS, Verdict.FENCED),
        (_app(), Old.STOPPED, Verdict.FENCED),
        (_app(error="there is none", refused=True, gone=True), Old.FOLLOWS, Verdict.FENCED),
        (_app(error="we may not", refused=True), Old.FOLLOWS, Verdict.WAIT),
        (_app(error="no route"), Old.FOLLOWS, Verdict.WAIT),
        (_app(), Old.SILENT, Verdict.WAIT),
        (_app(), Old.SETTLES, Verdict.WAIT),
        (_app(), Old.ANSWERS, Verdict.WAIT),
        (_app(wanted=3), Old.SILENT, Verdict.ACT),
        (_app(error="no route"), Old.WRITES, Verdict.ACT),
    ],
)
def test_what_is_to_be_done(application: Scale, old: Old, verdict: Verdict) -> None:
    standing = _moved().model_copy(update={"old": old})
    seen = Returned(at=NOW, applications=(application,), databases=(standing,))
    assert (seen.verdict, bool(seen.words)) == (verdict, verdict is not Verdict.FENCED)


def test_of_two_databases_one_that_leads_there_keeps_applications_as_they_are_and_does_not_end_the_wait() -> None:
    back = _moved().model_copy(update={"lead": Lead.LOST, "name": "other"})
    seen = Returned(at=NOW, applications=(_app(wanted=3),), databases=(_moved(), back))
    assert seen.verdict is Verdict.WAIT
    stopped = _moved().model_copy(update={"old": Old.WRITES})
    assert Returned(at=NOW, databases=(stopped, back)).verdict is Verdict.ACT, "its own database is led elsewhere"
    assert Returned(at=NOW, databases=(back, back)).verdict is Verdict.LEADS_AGAIN


def test_who_is_turned_away_for_a_minute_is_not_waited_for_any_more() -> None:
    seen = Returned(at=NOW, databases=(_moved().model_copy(update={"old": Old.ANSWERS}),))
    since = dict[str, Any]()
    assert _judged(seen, since).verdict is Verdict.WAIT
    later = seen.model_copy(update={"at": NOW + timedelta(seconds=61)})
    assert _judged(later, since).verdict is Verdict.ACT
    between = Returned(at=NOW + timedelta(seconds=62), databases=(_moved(),))
    assert _judged(between, since).verdict is Verdict.FENCED
    assert not since


def _order(goal: Goal, server: str = OLD) -> ServerOrder:
    return ServerOrder(target=TARGET, server=server, leader=NEW, goal=goal, mode="ZoneRedundant", run=_RUN)


def _asked(order: ServerOrder, **changes: dict[str, Any]) -> str:
    """Return ``ask``, or why not."""
    parts = {name: {**part, **changes.get(name, {})} for name, part in _MOVED.items()}
    found = found_of(order, survey(**parts))
    if found is None:
        return "ask"
    return "needless" if found.needless else "going on" if found.going_on else found.refused or found.busy


_WRITES: dict[str, Any] = {"old_azure": _PRIMARY, "old_sql": {"in_recovery": False}}


def test_only_an_old_primary_that_takes_writes_is_stopped_and_only_while_the_other_one_leads() -> None:
    stop = _order(Goal.STOPPED)
    assert _asked(stop, **_WRITES) == "ask"
    assert "needs no stop" in _asked(stop)
    assert "not known that" in _asked(stop, **{**_WRITES, "endpoint": {"leads_to": OLD}})
    assert _asked(stop, old_azure={"state": "Stopped"}) == "needless"
    assert _asked(stop, old_azure={"state": "Stopping"}) == "going on"
    assert f"{NEW} leads" in _asked(_order(Goal.STOPPED, NEW))


def test_only_a_replica_that_is_stopped_is_started() -> None:
    start = _order(Goal.STARTED)
    assert _asked(start, old_azure={"state": "Stopped"}) == "ask"
    assert "would take writes" in _asked(start, old_azure={**_PRIMARY, "state": "Stopped"})
    assert _asked(start) == "needless"
    assert _asked(start, old_azure={"state": "Starting"}) == "going on"
    assert _asked(start, old_azure={"error": "silent", "state": ""}) == "silent"


def test_only_the_server_that_leads_gets_a_standby_and_only_once() -> None:
    order = _order(Goal.HIGHLY_AVAILABLE, NEW)
    assert _asked(order) == "ask"
    assert _asked(order, new_azure={"high_availability": "ZoneRedundant CreatingStandby"}) == "going on"
    assert _asked(order, new_azure={"high_availability": "ZoneRedundant Healthy"}) == "needless"
    assert "does not lead" in _asked(_order(Goal.HIGHLY_AVAILABLE, OLD))
    fact = survey(new_azure={"state": "Updating", "high_availability": "ZoneRedundant Healthy"}).azure_of(NEW)
    assert not is_reached(order, fact)


def _follower(**changes: dict[str, Any]) -> tuple[str, str]:
    """Return what ends the wait, and what is missing."""
    base = {
        **_MOVED,
        "new_sql": {"in_recovery": False, "behind_bytes": 0},
        "old_sql": {"in_recovery": True, "told_lsn": "0/5000000", "replayed_lsn": "0/5000000", "heard_seconds_ago": 1.0},
    }
    parts = {name: {**part, **changes.get(name, {})} for name, part in base.items()}
    seen = follower_of(TARGET, survey(**parts), OLD)
    ends = [name for name in ("caught_up", "stopped", "broken") if getattr(seen, name)]
    return "".join(ends), seen.words


def test_a_replica_has_caught_up_by_two_witnesses() -> None:
    assert _follower() == ("caught_up", "")
    assert "20000000 bytes" in _follower(new_sql={"behind_bytes": 20_000_000, "behind_seconds": 1.0})[1]
    assert "61.0 s" in _follower(new_sql={"behind_bytes": 1, "behind_seconds": 61.0})[1]
    assert "does not say" in _follower(new_sql={"behind_bytes": None})[1]
    assert "61.0 s" in _follower(old_sql={"heard_seconds_ago": 61.0})[1]
    assert "does not say" in _follower(old_sql={"told_lsn": ""})[1]
    assert "Updating" in _follower(old_azure={"state": "Updating"})[1]
    assert "not known that" in _follower(endpoint={"leads_to": OLD})[1]


def test_what_waiting_does_not_mend_ends_the_wait() -> None:
    assert _follower(old_azure={"state": "Stopped"})[0] == "stopped"
    assert _follower(old_azure={**_PRIMARY, "state": "Stopped"})[0] == "broken"
    assert _follower(old_azure={"replication": "Broken"})[0] == "broken"
    assert _follower(old_azure=_PRIMARY, old_sql={"in_recovery": True})[0] == ""


def test_the_commands_name_both_servers_and_their_groups() -> None:
    told = rebuilding(TARGET, _moved())
    assert f"delete --subscription {TARGET.database.subscription} --resource-group aiagent-prod-rg --name {OLD}" in told
    assert f"/resourceGroups/aiagent-dr-rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/{NEW}" in told
    assert "--location 'East US'" in told
