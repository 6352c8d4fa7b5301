"""Every workflow that a worker serves, and how the SDK runs them.

Temporal's sandbox would import each workflow's file, and what it imports, anew for every run and every replay (16 ms each,
the time in which a dead worker's work is taken over). The product's own modules are imported once instead: they hold no
state outside a run, and the recorded histories prove that they decide the same again.
"""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.doctor import Doctor
from workflows.node_failover import NodeFailover
from workflows.node_return import NodeReturn
from workflows.node_watch import NodeWatch
from workflows.pod_failover import PodFailover
from workflows.pod_watch import PodWatch
from workflows.postgres_adopt import PostgresAdopt
from workflows.postgres_failover import PostgresFailover
from workflows.postgres_pause import PostgresPause
from workflows.postgres_rejoin import PostgresRejoin
from workflows.postgres_rollback import PostgresRollback
from workflows.postgres_watch import PostgresWatch
from workflows.redis_failover import RedisFailover
from workflows.redis_watch import RedisWatch
from workflows.watchers_start import WatchersStart

WORKFLOWS = (
    PostgresFailover,
    PostgresRejoin,
    PostgresRollback,
    PostgresPause,
    PostgresAdopt,
    RedisFailover,
    PodFailover,
    NodeFailover,
    NodeReturn,
    PostgresWatch,
    RedisWatch,
    NodeWatch,
    PodWatch,
    WatchersStart,
    Doctor,
)
_OURS = ("activities", "estate", "gate", "pydantic", "workflows")
RUNNER = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_OURS))
