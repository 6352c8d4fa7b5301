"""What each eye makes of what it looks at, in front of the systems in memory."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from activities.clients.ports import UnreachableError
from activities.detection.models import Condition
from activities.detection.probes.nodes import NodeEye
from activities.detection.probes.pods import PodEye
from activities.detection.probes.postgres import PostgresEye
from activities.nodes.models import NodeFact, NodePod, NodeWitness
from activities.pods.models import Trouble
from estate.base import Region
from estate.nodes import NodePool, NodePoolTarget
from estate.workloads import Workload, WorkloadTarget
from gate.api import Role, ServerState
from gate.record import Intent, Mode
from tests.fakes.clients import systems_of
from tests.fakes.world import A, B, World
from tests.pods.world import PodWorld
from tests.postgres.samples import target

_REGION = Region(location="East US", namespace="aiagent-prod")


def _postgres() -> tuple[PostgresEye, World]:
    world = World()
    return PostgresEye(systems_of(world), target()), world


async def test_a_primary_that_takes_writes_is_well() -> None:
    eye, _ = _postgres()
    assert (await eye.look()).findings == ()


async def test_a_server_that_its_gate_calls_down_is_stopped() -> None:
    eye, world = _postgres()
    world.members[A].server = ServerState.STOPPED
    (finding,) = (await eye.look()).findings
    assert (finding.subject, finding.condition) == (A, Condition.STOPPED)


async def test_a_pod_that_is_dead_is_refused_and_one_that_is_cut_off_silent() -> None:
    eye, world = _postgres()
    world.members[A].reachable = False
    (finding,) = (await eye.look()).findings
    assert (finding.subject, finding.condition) == (A, Condition.SILENT)


async def test_a_frozen_server_is_silent_although_its_gate_answers() -> None:
    eye, world = _postgres()
    world.members[A].frozen = True
    (finding,) = (await eye.look()).findings
    assert finding.condition is Condition.SILENT


async def test_a_failover_that_is_under_way_is_nobody_s_fault() -> None:
    eye, world = _postgres()
    world.members[A].server = ServerState.STOPPED
    world.write(epoch=6, intent=Intent(candidate=B, mode=Mode.PLANNED, run="postgres/orders/1"))
    look = await eye.look()
    assert (look.findings, look.blind) == ((), f"a failover to {B} is under way")


async def test_a_member_that_has_ceased_to_lead_is_not_missed() -> None:
    eye, world = _postgres()
    await eye.look()
    world.members[A].server, world.members[A].role = ServerState.STOPPED, Role.STANDBY
    world.members[B].role = Role.PRIMARY
    world.write(epoch=6, leader=B)
    assert (await eye.look()).findings == ()
    assert (await eye.look()).findings == ()


async def test_without_the_api_server_nothing_is_said() -> None:
    eye, world = _postgres()
    await eye.look()
    world.members[A].server = ServerState.STOPPED
    world.faults.silenced = "kubernetes."
    look = await eye.look()
    assert look.findings == ()
    assert "the leader record cannot be read" in look.blind


def _pods() -> tuple[PodEye, PodWorld]:
    world = PodWorld()
    workload = Workload(region="eastus", deployment="api-deployment", service="api")
    return PodEye(world, WorkloadTarget(name="api", region=_REGION, workload=workload)), world


@pytest.mark.parametrize(
    ("trouble", "counts"),
    [
        (Trouble.CRASHING, True),
        (Trouble.STUCK, True),
        (Trouble.NOT_READY, True),
        (Trouble.STARTING, False),
        (Trouble.UNSCHEDULED, False),
    ],
)
async def test_pods_that_a_new_one_would_mend_are_seen(trouble: Trouble, *, counts: bool) -> None:
    eye, world = _pods()
    world.break_pod(world.names[0], trouble)
    findings = (await eye.look()).findings
    assert [finding.condition for finding in findings] == ([Condition.STOPPED] if counts else [])


async def test_a_service_that_does_not_answer_is_seen_and_a_silent_api_server_is_not_guessed_about() -> None:
    eye, world = _pods()
    world.answers = lambda: "503"
    (finding,) = (await eye.look()).findings
    assert (finding.subject, finding.condition) == ("api", Condition.SILENT)
    world.gone = True
    look = await eye.look()
    assert (look.findings, bool(look.blind)) == ((), True)


class _Nodes:
    """Three nodes; those in ``silent`` say nothing, those in ``pods_answer`` have pods that do."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.pods_answer: set[str] = set()
        self.refused: set[str] = set()
        self.gone = False

    async def nodes(self, region: Region) -> tuple[NodeFact, ...]:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.gone:
            raise UnreachableError("the API server does not answer")
        return tuple(NodeFact(name=name, ready="True") for name in ("node-1", "node-2", "node-3"))

    async def pods_on(self, region: Region, node: str) -> tuple[NodePod, ...]:  # noqa: ARG002
        return (NodePod(namespace="aiagent-prod", name="api", uid="1", address="10.0.0.1", port=80),)

    async def witness(self, region: Region, node: NodeFact, pods: tuple[NodePod, ...]) -> NodeWitness:  # noqa: ARG002
        if node.name not in self.silent:
            return NodeWitness(lease_age_seconds=5, port="answers")
        answering = tuple(pod.path for pod in pods if node.name in self.pods_answer)
        port = "refused" if node.name in self.refused else "silent"
        return NodeWitness(lease_age_seconds=60, port=port, answering=answering, silent=())


def _nodes() -> tuple[NodeEye, _Nodes]:
    nodes = _Nodes()
    pool = NodePoolTarget(name="workers", region=_REGION, settings=NodePool(region="eastus"))
    return NodeEye(nodes, pool), nodes  # type: ignore[arg-type]


async def test_a_node_that_is_silent_in_every_respect_is_seen() -> None:
    eye, nodes = _nodes()
    assert (await eye.look()).findings == ()
    nodes.silent = {"node-2"}
    (finding,) = (await eye.look()).findings
    assert (finding.subject, finding.condition) == ("node-2", Condition.SILENT)


@pytest.mark.parametrize("what", ["pods_answer", "refused"])
async def test_a_node_of_which_anything_answers_is_not_gone(what: str) -> None:
    eye, nodes = _nodes()
    nodes.silent = {"node-2"}
    setattr(nodes, what, {"node-2"})
    assert (await eye.look()).findings == ()


async def test_most_of_a_pool_at_once_is_the_network() -> None:
    eye, nodes = _nodes()
    nodes.silent = {"node-1", "node-2"}
    look = await eye.look()
    assert look.findings == ()
    assert look.blind.startswith("2 of 3 nodes are silent at once (node-1, node-2)")
    nodes.gone = True
    assert "the API server says nothing of the nodes" in (await eye.look()).blind


def test_defaults_bear_with_a_frozen_machine() -> None:
    """Azure freezes machines for 8 to 30 s."""
    for entry in (target().cluster.watch, NodePool(region="eastus").watch):
        assert entry.silent_after >= timedelta(seconds=30)
