"""Puts a worker together: clients, steps, procedures, and how fast a dead worker's work moves to a living one.

A worker that dies is noticed by its steps' missing heartbeats (1.5 s) and, between steps, by its sticky queue (0.3 s
instead of 10); the server hands the work to another worker, which replays the run from its history and goes on.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from temporalio.client import Client
from temporalio.worker import Worker

from activities.clients.application import HttpApplication
from activities.clients.azure.access import AzureAccess
from activities.clients.azure.application_gateway import AzureGateways
from activities.clients.azure.flexible import AzureFlexible
from activities.clients.azure.front_door import AzureFrontDoor
from activities.clients.azure.machines import AzureMachines
from activities.clients.azure.readings import AzureReadings
from activities.clients.azure.traffic_manager import AzureTrafficManager
from activities.clients.backend_http import BackendHttp
from activities.clients.bundle import Clients
from activities.clients.checks.looks import looks
from activities.clients.edge import HttpEdge
from activities.clients.flexible_sql import FlexibleSqlClient
from activities.clients.gate import GateClient
from activities.clients.http_power import HttpMachines
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.kubernetes.core import KubernetesClient
from activities.clients.kubernetes.leader_record import LeaderRecordClient
from activities.clients.kubernetes.nodes import NodesClient
from activities.clients.kubernetes.permissions import PermissionsClient
from activities.clients.kubernetes.reach import ApiServersClient
from activities.clients.kubernetes.regions import RegionsClient
from activities.clients.kubernetes.workloads import WorkloadsClient
from activities.clients.kustomize import Kustomize
from activities.clients.names import DnsNames
from activities.clients.notifier import AppriseSender
from activities.clients.postgres import PostgresClient
from activities.clients.redis import RedisClient
from activities.clients.secrets import read_secret
from activities.clients.signatures import judge
from activities.clients.systems import Systems
from activities.clients.traffic_ports import TrafficClients
from activities.detection.models import WatchedTarget, witness_queue
from activities.detection.probes.gateways import AzureWords, GatewayEye
from activities.detection.probes.nodes import NodeEye
from activities.detection.probes.pods import PodEye
from activities.detection.probes.postgres import PostgresEye
from activities.detection.probes.redis import RedisEye
from activities.detection.probes.regions import RegionEye
from activities.detection.steps import WatchActivities
from activities.detection.witness import Eye, WitnessActivities
from activities.doctor.looks import Doctors, SubjectLook
from activities.drills.evidence import EvidenceActivities
from activities.nodes.doctor import MachineLook
from activities.notices.steps import NoticesActivities
from activities.readiness.steps import ReadinessActivities
from activities.region.doctor import FlexibleDoctor
from activities.region.evidence import EvidenceReader
from activities.region.failover_doctor import RegionDoctor
from activities.run.checks import ChecklistActivities, Look
from activities.run.declare import steps_of
from activities.run.doctor import DoctorActivities
from activities.run.heartbeat import Heartbeat
from activities.run.inventory import EstateActivities, Inventory
from activities.run.own_targets import OwnTargets
from activities.run.parents import ParentActivities
from activities.run.people import PeopleActivities
from activities.run.records import RecordsActivities
from activities.run.signing import Signatures
from activities.traffic.doctor import TrafficDoctor
from activities.traffic.gateway_doctor import GatewayDoctor
from estate.gateways import GatewayTarget
from estate.nodes import MachineKind, NodePoolTarget
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from estate.regions import WatchedRegion
from estate.workloads import WorkloadTarget
from workers.settings import WorkerSettings
from workflows.catalog import PROCEDURES, RUNNER, workflows

_STICKY = timedelta(seconds=0.3)
_BEAT = timedelta(seconds=0.2)
_WITNESS_BEAT = timedelta(seconds=1.5)


def make_worker(client: Client, settings: WorkerSettings) -> Worker:
    """Return a worker that serves every procedure; nothing runs yet."""
    kubernetes = KubernetesClient()
    key, evidence_key = settings.signing_key, settings.evidence_key
    inventory = Inventory(settings.estate, Signatures(partial(read_secret, key) if key else None))
    clients = _clients(kubernetes, inventory, settings)
    machines = MachineLook(clients.nodes, clients.machines)
    doctors = Doctors(
        FlexibleDoctor(*clients.flexible), GatewayDoctor(*clients.gateways), TrafficDoctor(clients.traffic),
        RegionDoctor(*clients.regions[:2], EvidenceReader(clients.flexible[0], clients.readings, inventory)),
    )  # fmt: skip
    look = SubjectLook(clients.systems, clients.redis, PermissionsClient(kubernetes), machines, doctors)
    owners = [
        EstateActivities(inventory),
        ParentActivities(),
        WatchActivities(inventory),
        RecordsActivities(inventory),
        EvidenceActivities(inventory, partial(read_secret, evidence_key) if evidence_key else None),
        PeopleActivities(inventory, judge),
        DoctorActivities(inventory, look),
        ReadinessActivities(inventory, clients.nodes),
        NoticesActivities(inventory, AppriseSender()),
        ChecklistActivities(_looks(kubernetes, clients)),
        *(owner for spec in PROCEDURES for owner in spec.serves(clients)),
    ]
    groups = {type(owner): owner for owner in owners}.values()  # procedures of one subject share theirs
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=workflows(),
        workflow_runner=RUNNER,
        activities=[step for group in groups for step in steps_of(group)],
        interceptors=[Heartbeat(), OwnTargets(clients.inventory)],
        sticky_queue_schedule_to_start_timeout=_STICKY,
        max_heartbeat_throttle_interval=_BEAT,
        default_heartbeat_throttle_interval=_BEAT,
        graceful_shutdown_timeout=timedelta(seconds=settings.grace),
    )


def _looks(kubernetes: KubernetesClient, clients: Clients) -> dict[str, Look]:
    """Return what looks at items of checklists. Application Insights is not Resource Manager: the bearer is another one."""
    return looks(Addresses(kubernetes), clients.flexible[0], clients.readings, AzureAccess())


def _clients(kubernetes: KubernetesClient, inventory: Inventory, settings: WorkerSettings) -> Clients:
    poll = timedelta(seconds=settings.azure_poll)
    azure = AzureAccess(settings.azure_endpoint.rstrip("/"), settings.azure_token, poll)
    addresses = Addresses(kubernetes)
    return Clients(
        inventory=inventory,
        systems=Systems(
            kubernetes=kubernetes,
            leader_records=LeaderRecordClient(kubernetes),
            gates=GateClient(addresses),
            postgres=PostgresClient(addresses),
        ),
        redis=RedisClient(addresses),
        nodes=NodesClient(kubernetes),
        workloads=WorkloadsClient(kubernetes, addresses),
        machines={MachineKind.AZURE: AzureMachines(azure), MachineKind.HTTP: HttpMachines()},
        flexible=(AzureFlexible(azure), FlexibleSqlClient()),
        traffic=TrafficClients(AzureFrontDoor(azure), AzureTrafficManager(azure), HttpEdge(), DnsNames()),
        gateways=(AzureGateways(azure), BackendHttp()),
        regions=(RegionsClient(kubernetes), Kustomize(settings.kubectl), HttpApplication()),
        readings=AzureReadings(azure),
    )


def make_witness(client: Client, settings: WorkerSettings) -> Worker:
    """Return a worker that does what one witness does; nothing runs yet.

    Its steps last for minutes, and who waits for them must know within seconds that it has died: it beats less often.
    """
    kubernetes = KubernetesClient()
    clients = _clients(kubernetes, Inventory(settings.estate, any_version=True), settings)
    (gateways, backends), servers = clients.gateways, ApiServersClient(kubernetes)
    azure = AzureWords(gateways)

    def eye_of(target: WatchedTarget) -> Eye:
        match target:
            case PostgresTarget():
                return PostgresEye(clients.systems, target)
            case RedisTarget():
                return RedisEye(clients.redis, target)
            case WorkloadTarget():
                return PodEye(clients.workloads, target)
            case NodePoolTarget():
                return NodeEye(clients.nodes, target)
            case GatewayTarget():
                return GatewayEye(azure, backends, target)
            case WatchedRegion():
                return RegionEye(clients.traffic.edge, servers, target)

    return Worker(
        client,
        task_queue=witness_queue(settings.task_queue, settings.witness),
        activities=[*steps_of(WitnessActivities(eye_of))],
        interceptors=[Heartbeat(), OwnTargets(clients.inventory)],
        max_heartbeat_throttle_interval=_WITNESS_BEAT,
        default_heartbeat_throttle_interval=_WITNESS_BEAT,
        graceful_shutdown_timeout=timedelta(0),
    )
