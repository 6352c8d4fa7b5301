"""The whole estate: what the operator's file lists, and that its parts fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from estate.base import ApprovalPolicy, Entry, MasterName, Name, Region, fold
from estate.checklists import Checklist, fault_of
from estate.drills import Drills
from estate.flexible import FlexibleDatabase
from estate.gateways import Gateway
from estate.nodes import NodePool
from estate.notices import Notifications
from estate.postgres import PostgresCluster, ProofKind
from estate.readiness import ReadinessChecks
from estate.redis import RedisDeployment
from estate.regions import RegionFailover
from estate.signers import SigningKey
from estate.traffic import TrafficEntry
from estate.workloads import Workload


class Estate(Entry):
    """The whole inventory."""

    regions: dict[Name, Region] = Field(min_length=1)
    postgres: dict[Name, PostgresCluster] = Field(default={})
    flexible_servers: dict[Name, FlexibleDatabase] = Field(default={})
    """Databases on pairs of Azure Flexible Servers in two regions."""
    redis: dict[MasterName, RedisDeployment] = Field(default={})
    """By Sentinel's master name."""
    traffic: dict[Name, TrafficEntry] = Field(default={})
    """Public names, and what leads them to a region."""
    workloads: dict[Name, Workload] = Field(default={})
    """Deployments whose pods are looked after."""
    node_pools: dict[Name, NodePool] = Field(default={})
    """Machines; each node belongs to the first pool, by name, whose labels it has."""
    gateways: dict[Name, Gateway] = Field(default={})
    """Azure Application Gateways, by their names in Azure."""
    region_failovers: dict[Name, RegionFailover] = Field(default={})
    """By the region that may be lost."""
    witnesses: tuple[Name, ...] = ()
    """Who looks whether a target is gone; a majority of all of them decides. Three or five, each where another one's fault
    does not reach it."""
    readiness: ReadinessChecks = ReadinessChecks()
    """How often every procedure is checked for every target."""
    people: dict[str, tuple[str, ...]] = Field(default={})
    """Who holds which roles; a vote by anybody else is refused."""
    signers: dict[str, tuple[SigningKey, ...]] = Field(default={})
    """The keys that each person signs with."""
    checklists: dict[Name, Checklist] = Field(default={})
    """What must be so before and after a procedure, for a run to go on."""
    drills: Drills | None = None
    """What is drilled when; ``None``: nothing."""
    notifications: Notifications | None = None
    """Who is told of runs; ``None``: nobody."""
    records: str | None = None
    """Directory that each run's report and history are written to; ``None`` keeps them in Temporal only."""

    @model_validator(mode="after")
    def _references_resolve(self) -> Self:
        for section in ("postgres", "flexible_servers", "redis", "traffic", "workloads", "node_pools", "gateways"):
            for name, entry in getattr(self, section).items():
                self._region_is_known(f"{section}.{name}", entry.region)
                for kind in type(entry.approvals).model_fields:
                    self._policy_can_be_met(f"{section}.{name}.approvals.{kind}", getattr(entry.approvals, kind))
        return self

    @model_validator(mode="after")
    def _flexible_servers_are_azures(self) -> Self:
        taken: dict[str, str] = {}
        inside = {*self.postgres, *(member for cluster in self.postgres.values() for member in cluster.members)}
        for name, entry in self.flexible_servers.items():
            where = f"flexible_servers.{name}"
            if name in self.postgres:
                message = f"{where}: postgres has a {name} too; give one of them another name"
                raise ValueError(message)
            for server, one in entry.servers.items():
                self._region_is_known(f"{where}.servers.{server}", one.region)
                if (other := taken.setdefault(server, name)) != name:
                    message = f"{where}.servers names {server}, which is {other}'s already; a server moves with one entry"
                    raise ValueError(message)
                if server in inside:
                    message = (
                        f"{where}.servers names {server}, which runs inside Kubernetes (postgres): Azure replicates only"
                        " between Flexible Servers; name the Flexible Server that leads"
                    )
                    raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _traffic_goes_to_known_regions(self) -> Self:
        for name, entry in self.traffic.items():
            for region in entry.regions:
                self._region_is_known(f"traffic.{name}.regions", region)
        return self

    @model_validator(mode="after")
    def _levers_have_one_owner(self) -> Self:
        taken: dict[tuple[str, ...], str] = {}
        for name, entry in self.traffic.items():
            for lever, words in entry.levers.items():
                if (other := taken.setdefault(lever, name)) != name:
                    message = f"traffic.{name} moves {words}, which is {other}'s already; it moves with one entry"
                    raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _regions_can_fail_over(self) -> Self:
        for name, entry in self.region_failovers.items():
            where = f"region_failovers.{name}"
            self._region_is_known(where, name)
            self._region_is_known(f"{where}.to", entry.to)
            if entry.to == name:
                message = f"{where}.to names {name} itself; name the region that survives it"
                raise ValueError(message)
            for kind in type(entry.approvals).model_fields:
                self._policy_can_be_met(f"{where}.approvals.{kind}", getattr(entry.approvals, kind))
            for database in entry.databases:
                self._moves_with(where, entry, name, database)
            for traffic in entry.traffic:
                self._leads_with(where, entry, name, traffic)
        return self

    def _leads_with(self, where: str, entry: RegionFailover, region: str, traffic: str) -> None:
        found = self.traffic.get(traffic)
        if found is None:
            known = ", ".join(sorted(self.traffic)) or "none"
            message = f"{where}.traffic names {traffic!r}, which traffic does not list; known: {known}"
            raise ValueError(message)
        if not {region, entry.to} <= set(found.regions):
            message = f"{where}.traffic names {traffic}, which can lead to {', '.join(sorted(found.regions))}"
            raise ValueError(f"{message}; it must be able to lead to {region} and {entry.to}")
        for kind in ("planned", "forced"):
            self._roles_suffice(
                f"{where}.approvals.{kind}",
                f"traffic.{traffic}.approvals.planned",
                found.approvals.planned,
                entry.approvals.of(kind),
            )

    def _moves_with(self, where: str, entry: RegionFailover, region: str, database: str) -> None:
        found = self.flexible_servers.get(database)
        if found is None:
            known = ", ".join(sorted(self.flexible_servers)) or "none"
            message = f"{where}.databases names {database!r}, which flexible_servers does not list; known: {known}"
            raise ValueError(message)
        regions = {server.region for server in found.servers.values()}
        if regions != {region, entry.to}:
            message = f"{where}.databases names {database}, whose servers are in {', '.join(sorted(regions))}"
            raise ValueError(f"{message}; they must be in {region} and {entry.to}")
        for kind in ("planned", "forced"):
            self._roles_suffice(
                f"{where}.approvals.{kind}",
                f"flexible_servers.{database}.approvals.{kind}",
                found.approvals.of(kind),
                entry.approvals.of(kind),
            )

    @staticmethod
    def _roles_suffice(where: str, owns: str, own: ApprovalPolicy, asked: ApprovalPolicy) -> None:
        """Refuse a region's policy of which the approvals, handed on, could not fill the policy of what moves with it."""
        if own.needed and (asked.quorum is not None or not set(own.roles) <= set(asked.roles)):
            message = f"{where} must ask for every role of {owns} ({', '.join(own.roles)})"
            raise ValueError(f"{message}, without a quorum: they count there too")

    @model_validator(mode="after")
    def _machines_can_speak(self) -> Self:
        with_machines = {pool.region for pool in self.node_pools.values() if pool.machines is not None}
        for name, cluster in self.postgres.items():
            if ProofKind.MACHINE in cluster.forced.proof and cluster.region not in with_machines:
                message = (
                    f"postgres.{name}.forced.proof has machine, but no node_pools entry of {cluster.region} has machines"
                )
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _signers_are_people(self) -> Self:
        taken: dict[str, str] = {}
        for name, keys in self.signers.items():
            if fold(name) not in {fold(one) for one in self.people}:
                message = f"signers.{name}: people lists nobody of that name"
                raise ValueError(message)
            for one in keys:
                if (other := taken.setdefault(one.key, name)) != name:
                    message = f"signers.{name} has a key of {other}: a key is one person's"
                    raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _drills_can_be_held(self) -> Self:
        held = {role for roles in self.people.values() for role in roles}
        for name, drill in self.drills.calendar.items() if self.drills else ():
            where, listed = f"drills.calendar.{name}", getattr(self, drill.kind.section)
            if drill.target not in listed:
                known = ", ".join(sorted(listed)) or "none"
                message = f"{where}.target names {drill.target!r}, which {drill.kind.section} does not list; known: {known}"
                raise ValueError(message)
            if missing := [role for role in drill.participants if role not in held]:
                message = f"{where}.participants asks for {', '.join(missing)}, but nobody under people holds it"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _checklists_fit(self) -> Self:
        listed: dict[str, Mapping[str, object]] = {
            "postgres": self.postgres, "flexible": self.flexible_servers, "redis": self.redis, "workload": self.workloads,
            "region": self.region_failovers, "traffic": self.traffic, "gateway": self.gateways,
            "drill": self.drills.calendar if self.drills else {},
        }  # fmt: skip
        if fault := fault_of(self.checklists, listed, {role for roles in self.people.values() for role in roles}):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _witnesses_differ(self) -> Self:
        if len(set(self.witnesses)) != len(self.witnesses):
            message = "witnesses names one twice; each has one voice"
            raise ValueError(message)
        return self

    def _region_is_known(self, where: str, region: str) -> None:
        if region not in self.regions:
            known = ", ".join(sorted(self.regions))
            message = f"{where}.region names {region!r}, which regions does not list; known: {known}"
            raise ValueError(message)

    def _policy_can_be_met(self, where: str, policy: ApprovalPolicy) -> None:
        able = {fold(name) for name, keys in self.signers.items() if keys} if policy.signed else None
        held = {role for name, roles in self.people.items() if able is None or fold(name) in able for role in roles}
        missing = [role for role in policy.roles if role not in held]
        if len(policy.roles) - len(missing) < policy.needed:
            message = f"{where}.roles asks for {', '.join(missing)}, but nobody under people holds it"
            if policy.signed:
                message = f"{message} and has a key under signers, and the policy counts signed votes only"
            raise ValueError(message)
