"""A cluster that is fit for a planned switch, as data; tests change one thing at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.postgres.models.survey import MemberFact, SqlFact, Survey
from estate.base import Region
from estate.postgres import GateAccess, Login, PostgresCluster, PostgresTarget
from estate.redis import RedisDeployment, RedisTarget
from gate.api import Follower, GateStatus, Role, ServerState
from gate.record import Record
from workflows.postgres.models import FailoverRequest

A, B, C = "pg-a", "pg-b", "pg-c"
SYSTEM = "7300000000000000001"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REDIS = {f"redis-{number}": f"10.0.0.{number}:6379" for number in range(3)}
"""Redis server → the address that it announces."""
MYMASTER = RedisTarget(
    name="mymaster",
    region=Region(location="East US", namespace="a"),
    deployment=RedisDeployment(region="eastus", servers=tuple(REDIS), sentinels=("s-0", "s-1", "s-2")),
)


def status(name: str, **changes: Any) -> GateStatus:
    """Return a fit standby's status, or with ``role=PRIMARY`` a leader's."""
    usual: dict[str, Any] = {
        "member": name, "at": NOW, "epoch": 5, "server": ServerState.RUNNING, "role": Role.STANDBY, "doing": "runs",
        "ready": True, "system_identifier": SYSTEM, "timeline": 3, "upstream": A, "receive_lsn": "0/3000000",
        "lag_bytes": 0, "disk_free_bytes": 10**10,
    }  # fmt: skip
    return GateStatus.model_validate({**usual, **changes})


def leader(*standbys: str, **changes: Any) -> GateStatus:
    """Return the status of A, followed by ``standbys``."""
    rows = tuple(Follower(member=name, state="streaming", sync_state="sync") for name in standbys)
    return status(A, **{"role": Role.PRIMARY, "upstream": None, "followers": rows, **changes})


def sql(*, in_recovery: bool) -> SqlFact:
    """Return what a member says by SQL."""
    return SqlFact(in_recovery=in_recovery, timeline=3, system_identifier=SYSTEM)


def member(name: str, **changes: Any) -> MemberFact:
    """Return the fact about a fit standby."""
    usual = {"name": name, "gate": status(name), "sql": sql(in_recovery=True)}
    return MemberFact.model_validate({**usual, **changes})


def record(**changes: Any) -> Record:
    """Return the record that names A."""
    usual = {"leader": A, "selector": A, "epoch": 5, "sync": f"{B},{C}", "system_identifier": SYSTEM}
    return Record.model_validate({**usual, **changes})


def survey(*standbys: MemberFact, **changes: Any) -> Survey:
    """Return a survey of A and ``standbys``."""
    names = tuple(one.name for one in standbys)
    first = MemberFact(name=A, gate=leader(*names), sql=sql(in_recovery=False))
    usual = {"at": NOW, "record": record(), "members": (first, *standbys)}
    return Survey.model_validate({**usual, **changes})


def target(**changes: Any) -> PostgresTarget:
    """Return the cluster ``orders``."""
    usual: dict[str, Any] = {
        "region": "eastus", "database": "orders", "members": (A, B, C), "write_service": "pg",
        "gate": GateAccess(token="env:TOKEN"), "login": Login(password="env:PASSWORD"),
    }  # fmt: skip
    return PostgresTarget(
        name="orders",
        region=Region(location="East US", namespace="prod"),
        cluster=PostgresCluster.model_validate({**usual, **changes}),
    )


def request(**changes: Any) -> FailoverRequest:
    """Return a planned switch."""
    return FailoverRequest.model_validate({"cluster": "orders", "mode": "planned", **changes})
