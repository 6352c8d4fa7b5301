"""What is seen of a node and its pods, and what the steps of ``node-failover`` ask and answer."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from activities.run.models.wire import RunId, Wire
from estate.nodes import NodeTarget
from estate.reference import Named


class NodeFact(Wire):
    """One node by the API server's word."""

    name: str
    ready: str = "Unknown"
    """``True``, ``False`` or ``Unknown``, as its Ready condition has it."""
    reason: str = ""
    cordoned: bool = False
    cordoned_for: str = ""
    """The run that cordoned it; empty for a person's cordon."""
    labels: dict[str, str] = Field(default={})
    taints: tuple[str, ...] = ()
    address: str = ""
    """Internal IP."""
    provider_id: str = ""
    """Which machine it is, in the words of who provides it (``spec.providerID``)."""

    @property
    def takes_pods(self) -> bool:
        """Whether the scheduler may put pods there."""
        return self.ready == "True" and not self.cordoned


class NodePod(Wire):
    """One pod on a node."""

    namespace: str
    name: str
    uid: str
    owner_kind: str = ""
    """Kind of its controller; empty for a pod that nobody would make anew."""
    owner: str = ""
    ready: bool = False
    address: str = ""
    port: int = 0
    """Of its first container; 0: it names none."""
    leaving: bool = False
    stays: str = ""
    """Why it is not evicted: of a DaemonSet, of the node itself, over; empty when it is."""
    volumes: tuple[str, ...] = ()
    """What it may write and outlives it, unless it says that it may run twice for a while."""
    leads: str = ""
    """The label by which it says that it leads a database; survey: of none that the estate lists."""
    homeless: bool = False
    """No other node takes it, by its anti-affinity and what runs there now, or by ``bound``: it will wait."""
    bound: tuple[str, ...] = ()
    """Its claims whose volumes no other node can reach."""

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"

    @property
    def keeps_data(self) -> bool:
        """Whether it must not run twice: only proof that its node is stopped lets another one take its place."""
        return self.owner_kind == "StatefulSet" or (self.owner_kind == "ReplicaSet" and bool(self.volumes))


class Carried(Wire):
    """Something that leads from the node, and must move before the node is emptied."""

    workflow: str
    """``postgres-failover`` or ``redis-failover``."""
    target: str
    pod: str
    claimed: bool = False
    """PostgreSQL: a forced failover has claimed it already, and may wait for proof that the node is stopped."""


class NodeWitness(Wire):
    """What can be known of a node without its own word. Silence is no proof that it is stopped."""

    lease_age_seconds: float | None = None
    """Since its kubelet has renewed its lease; ``None``: nobody could say."""
    port: str = ""
    """What connecting to its kubelet was like: ``answers``, ``refused`` or ``silent``."""
    answering: tuple[str, ...] = ()
    """Its pods that still take a connection."""
    silent: tuple[str, ...] = ()

    def vouches(self, lease_seconds: float) -> bool:
        """Whether its kubelet answers, and has renewed its lease within ``lease_seconds``."""
        return self.port == "answers" and self.lease_age_seconds is not None and self.lease_age_seconds < lease_seconds


class NodeSurvey(Wire):
    """A node as it is now."""

    at: datetime
    node: NodeFact
    others: tuple[str, ...]
    """Other nodes that take pods."""
    pods: tuple[NodePod, ...] = ()
    witness: NodeWitness | None = None
    carries: tuple[Carried, ...] = ()
    unknown: tuple[str, ...] = ()
    """What could not be asked whether it leads from here, and why."""

    @property
    def to_evict(self) -> tuple[NodePod, ...]:
        """Pods that must go."""
        return tuple(pod for pod in self.pods if not pod.stays)

    @property
    def homeless(self) -> tuple[NodePod, ...]:
        """Of these the ones that no other node would take."""
        return tuple(pod for pod in self.to_evict if pod.homeless)


class NodeLook(Wire):
    """Which node to look at."""

    target: Named[NodeTarget]


class CordonRequest(Wire):
    """Keep new pods away from a node, or let them on again."""

    target: Named[NodeTarget]
    run: RunId


class Cordoned(Wire):
    """Since when nothing new is put on the node."""

    at: datetime
    before: bool = False
    """It had been cordoned by somebody else already, and stays so whatever becomes of the run."""


class DrainRequest(Wire):
    """Evict what is on a node, as long as its budgets let it."""

    target: Named[NodeTarget]
    run: RunId
    found: tuple[str, ...] = ()
    """What the run has seen there, to be evicted: it counts as gone when it is, whichever attempt has evicted it."""
    insisted_by: str = ""
    """Delete as well what budgets protect: somebody said so by name."""


class Blocked(Wire):
    """A pod whose disruption budget does not let it go."""

    pod: str
    words: str
    """The API server's: which budget, and how many healthy pods it needs."""


class Drained(Wire):
    """How far a drain came."""

    gone: tuple[str, ...]
    blocked: tuple[Blocked, ...] = ()
    at: datetime


class MovedRequest(Wire):
    """Wait until nothing leads from these pods of a node any more."""

    target: Named[NodeTarget]
    pods: tuple[NodePod, ...]


class ReplacePodsRequest(Wire):
    """Remove pods of a node that is silent, without waiting for its kubelet."""

    target: Named[NodeTarget]
    pods: tuple[NodePod, ...]
    run: RunId


class PodsReplaced(Wire):
    """What was removed."""

    pods: tuple[str, ...]
    at: datetime


class SettledRequest(Wire):
    """Wait until the controllers of what was evicted have as many ready pods as they want."""

    target: Named[NodeTarget]
    pods: tuple[NodePod, ...]
    until: datetime


class NodeSettled(Wire):
    """How that wait ended."""

    whole: bool
    at: datetime
    unready: tuple[str, ...] = ()
    """``Deployment aiagent-prod/api: 1 of 2 ready``."""


class Returned(Wire):
    """A node that was given up, and takes pods again; or has left the cluster for good."""

    at: datetime
    gone: bool = False
