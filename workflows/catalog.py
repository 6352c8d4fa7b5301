"""Every workflow that a worker serves, and how the SDK runs them.

Temporal's sandbox would import each workflow's file, and what it imports, anew for every run and every replay (16 ms each,
the time in which a dead worker's work is taken over). The product's own modules are imported once instead: they hold no
state outside a run, and the recorded histories prove that they decide the same again.
"""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.detection.nodes import NodeWatch
from workflows.detection.pods import PodWatch
from workflows.detection.postgres import PostgresWatch
from workflows.detection.redis import RedisWatch
from workflows.detection.start import WatchersStart
from workflows.doctor import Doctor
from workflows.nodes.failover import NodeFailover
from workflows.nodes.return_to_service import NodeReturn
from workflows.pods.failover import PodFailover
from workflows.postgres.adopt import PostgresAdopt
from workflows.postgres.failover import PostgresFailover
from workflows.postgres.pause import PostgresPause
from workflows.postgres.rejoin import PostgresRejoin
from workflows.postgres.rollback import PostgresRollback
from workflows.redis.failover import RedisFailover

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
