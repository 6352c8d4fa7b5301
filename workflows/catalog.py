"""Every workflow that a worker serves, and how the SDK runs them.

Temporal's sandbox would import each workflow's file, and what it imports, anew for every run and every replay (16 ms each,
the time in which a dead worker's work is taken over). The product's own modules are imported once instead: they hold no
state outside a run, and the recorded histories prove that they decide the same again.
"""

from __future__ import annotations

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.run.declare import RENAMED
from workflows.detection.gateways import GatewayWatch
from workflows.detection.nodes import NodeWatch
from workflows.detection.pods import PodWatch
from workflows.detection.postgres import PostgresWatch
from workflows.detection.redis import RedisWatch
from workflows.detection.regions import RegionWatch
from workflows.detection.start import WatchersStart
from workflows.doctor import Doctor
from workflows.drills.calendar import DrillsCalendar
from workflows.drills.due import DrillDue
from workflows.drills.specs import SPECS as DRILLS
from workflows.drills.stop import DrillsStop
from workflows.nodes.return_to_service import NodeReturn
from workflows.nodes.specs import SPECS as NODES
from workflows.notices.check import NoticesCheck
from workflows.notices.telling import Notices
from workflows.pods.specs import SPECS as PODS
from workflows.postgres.kept import PostgresKept
from workflows.postgres.pause import PostgresPause
from workflows.postgres.repair import PostgresRepair
from workflows.postgres.specs import SPECS as POSTGRES
from workflows.readiness.passes import FailoverReadiness
from workflows.redis.specs import SPECS as REDIS
from workflows.region.specs import SPECS as REGION
from workflows.run.phases import Shown
from workflows.run.procedure import ProcedureSpec
from workflows.traffic.gateway_specs import SPECS as GATEWAY
from workflows.traffic.specs import SPECS as TRAFFIC

PROCEDURES: list[ProcedureSpec] = [*POSTGRES, *REDIS, *PODS, *NODES, *REGION, *TRAFFIC, *GATEWAY, *DRILLS]
"""The one list of procedures: command, worker, reports and tests read it."""
_OTHERS = (
    PostgresPause, PostgresKept, PostgresRepair, NodeReturn, PostgresWatch, RedisWatch, NodeWatch, PodWatch, GatewayWatch,
    RegionWatch, WatchersStart, Doctor, DrillDue, DrillsStop, DrillsCalendar, FailoverReadiness,
    Notices, NoticesCheck,
)  # fmt: skip


def workflows() -> list[type]:
    """Return every workflow that a worker serves."""
    return [*(spec.runs for spec in PROCEDURES), *_OTHERS]


def spec_of(workflow: str) -> ProcedureSpec | None:
    """Return the procedure of that registered name; ``None``: it is none."""
    return next((spec for spec in PROCEDURES if spec.name == workflow), None)


def shown(step: str) -> Shown:
    """Return how a step is shown, whichever procedure takes it, and under whichever name."""
    step = RENAMED.get(step, step)
    return next((spec.steps[step] for spec in PROCEDURES if step in spec.steps), Shown())


_OURS = ("activities", "estate", "gate", "languages", "pydantic", "workflows")
RUNNER = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_OURS))
