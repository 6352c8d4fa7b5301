"""The three systems behind ``activities.clients.ports``, all looking at one ``World``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from activities.clients.ports import MissingError, Rollout, UnknownCommandError, UnreachableError, WriteFailedError
from activities.clients.systems import Systems
from activities.nodes.machine_fencing import NodeMachines
from activities.postgres.models.post_promotion import Verified
from activities.postgres.models.survey import PodFact, SessionFact, SqlFact
from activities.run.errors import Refusal, refuse
from activities.run.models.diagnosis import Silence
from activities.run.models.lease import Unrenewed
from estate.base import Region
from estate.postgres import PostgresTarget
from gate.api import (
    Adopted,
    DiscardCommand,
    FenceCommand,
    Fenced,
    GateStatus,
    Kept,
    ProblemKind,
    PromoteCommand,
    Promoted,
    RevertCommand,
    Role,
    SealCommand,
    Sealed,
)
from gate.record import Record, read_record, record_patch
from tests.fakes.gatehand import GateHand
from tests.fakes.member import Member
from tests.fakes.world import Deployment, World


class FakeLeaderRecords:
    """The record on the one write Service, and its Lease."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def read(self, region: Region, service: str) -> Record | None:  # noqa: ARG002 - one Service
        async with self.world.faults.around("kubernetes.read_record"):
            if self.world.service is None:
                raise MissingError(f"get Service {service}: not found")
            return read_record(self.world.service)

    async def write(self, region: Region, service: str, record: Record) -> Record:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.write_record"):
            self.world.touch(f"record: leader {record.leader}, epoch {record.epoch}")
            if self.world.before_patch:
                self.world.before_patch.pop(0)()
            self.world.patch(record_patch(record))
            return self.world.record

    async def lease(self, region: Region, service: str, leader: str) -> Unrenewed | None:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.lease"):
            return self.world.lease.seen if self.world.lease.holder == leader else None

    async def lease_epoch(self, region: Region, service: str) -> int:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.lease"):
            return self.world.lease.epoch

    async def seize_lease(self, region: Region, service: str, seen: Unrenewed, candidate: str, epoch: int) -> bool:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.seize_lease"):
            return self.world.lease.write(candidate, epoch, only_if=seen.version)

    async def version(self, region: Region, service: str) -> str:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.service_version"):
            if self.world.service is None:
                raise MissingError(f"get Service {service}: not found")
            return str(self.world.service["metadata"]["resourceVersion"])

    async def preview(self, region: Region, service: str, record: Record) -> str:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.preview_record"):
            return f"-leader: {self.world.record.leader}\n+leader: {record.leader}"


class FakeKubernetes:
    """Pods, endpoints, Deployments."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.pods"):
            living = [name for name in names if self.world.members[name].alive]
            return {name: self._pod(name) for name in living}

    def _pod(self, name: str) -> PodFact:
        return PodFact(name=name, phase="Running", ready=True, container="running", node=self.world.node_of.get(name))

    async def logs(self, region: Region, pod: str, lines: int) -> str:  # noqa: ARG002
        return f"last lines of {pod}"

    async def endpoints(self, region: Region, service: str) -> tuple[str, ...]:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.endpoints"):
            pod = self.world.behind_service()
            if self.world.endpoints is not None:
                return self.world.endpoints
            return (pod.name,) if pod is not None and pod.alive and pod.reachable else ()

    async def endpoints_version(self, region: Region) -> str | None:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.endpoints_version"):
            return self.world.record.selector

    async def pods_of(self, region: Region, deployment: str) -> dict[str, str]:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.pods_of"):
            self._deployment(deployment)
            return {f"{deployment}-{number}": address for number, address in enumerate(self.world.app_addresses)}

    async def restart_deployment(self, region: Region, deployment: str, mark: str) -> None:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.restart_deployment"):
            self.world.touch(f"restart {deployment}")
            found = self._deployment(deployment)
            if found.mark != mark:
                found.mark, found.restarts = mark, found.restarts + 1

    async def deployment_progress(self, region: Region, deployment: str) -> Rollout:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.deployment_progress"):
            found = self._deployment(deployment)
            stuck = found.stuck or (found.restarts > 0 and (found.paused or bool(found.refused)))
            return Rollout(1 if stuck else 2, 2, not stuck, paused=found.paused, refused=found.refused)

    async def untaken_pods(self, region: Region, deployment: str) -> dict[str, str]:  # noqa: ARG002
        async with self.world.faults.around("kubernetes.untaken_pods"):
            return dict(self._deployment(deployment).untaken)

    def _deployment(self, name: str) -> Deployment:
        if name not in self.world.deployments:
            raise MissingError(f"get Deployment {name}: not found")
        return self.world.deployments[name]


class FakeGates:
    """Every member's gate; a dead member's is silent."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _hand(self, member: str) -> GateHand:
        found = self.world.members[member]
        if self.world.secret_missing:
            raise refuse(Refusal.SECRET_MISSING, f"secret {self.world.secret_missing}: the file cannot be read")
        if found.hidden:
            raise UnreachableError(f"the gate of {member} is not reachable from here", Silence.NO_CONNECTION)
        if found.silence is not None:
            raise UnreachableError(f"the gate of {member} is not reachable: {found.silence.value}", found.silence)
        return GateHand(self.world, found)

    async def status(
        self, target: PostgresTarget, member: str, *, timeout: timedelta = timedelta(seconds=3), asks: str = ""  # noqa: ARG002
    ) -> GateStatus:  # fmt: skip
        self.world.asked_as.append(asks)
        async with self.world.faults.around("gates.status"):
            return self._hand(member).status()

    async def checkpoint(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:  # noqa: ARG002
        async with self.world.faults.around("gates.checkpoint"):
            hand = self._hand(member)
            if not self.world.members[member].writes:
                raise hand.no(ProblemKind.NOT_PRIMARY, "does not run as primary")
            return hand.status()

    async def fence(self, target: PostgresTarget, member: str, command: FenceCommand) -> Fenced:  # noqa: ARG002
        async with self.world.faults.around("gates.fence"):
            self.world.touch(f"fence {member}")
            return self._hand(member).fence(command.epoch, clean=command.clean)

    async def unfence(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:  # noqa: ARG002
        async with self.world.faults.around("gates.unfence"):
            self.world.touch(f"unfence {member}")
            return self._hand(member).unfence(epoch)

    async def seal(self, target: PostgresTarget, member: str, command: SealCommand) -> Sealed:  # noqa: ARG002
        async with self.world.faults.around("gates.seal"):
            self.world.touch(f"seal {member}")
            return self._hand(member).seal(command)

    async def prepare(self, target: PostgresTarget, member: str, command: PromoteCommand) -> None:  # noqa: ARG002
        async with self.world.faults.around("gates.prepare"):
            if self.world.members[member].cannot_prepare:
                raise UnknownCommandError(f"the gate of {member} does not know prepare")
            self._hand(member).prepare(command)

    async def promote(self, target: PostgresTarget, member: str, command: PromoteCommand) -> Promoted:  # noqa: ARG002
        async with self.world.faults.around("gates.promote"):
            self.world.touch(f"promote {member}")
            return self._hand(member).promote(command)

    async def revert(self, target: PostgresTarget, member: str, command: RevertCommand) -> Promoted:  # noqa: ARG002
        async with self.world.faults.around("gates.revert"):
            self.world.touch(f"revert {member}")
            return self._hand(member).revert(command)

    async def rejoin(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:  # noqa: ARG002
        async with self.world.faults.around("gates.rejoin"):
            self.world.touch(f"rejoin {member}")
            hand = self._hand(member)
            hand.accept(epoch)
            self.world.members[member].streams = True
            self.world.members[member].remember(rejoin_behind=self.world.record.leader)
            return hand.status()

    async def adopt(
        self, target: PostgresTarget, member: str, epoch: int, run: str, *, system_identifier: str  # noqa: ARG002
    ) -> Adopted:  # fmt: skip
        async with self.world.faults.around("gates.adopt"):
            self.world.touch(f"adopt {member}")
            return self._hand(member).adopt(epoch, system_identifier)

    async def kept(self, target: PostgresTarget, member: str) -> Kept:  # noqa: ARG002
        async with self.world.faults.around("gates.kept"):
            return self._hand(member).kept()

    async def discard(self, target: PostgresTarget, member: str, command: DiscardCommand) -> Kept:  # noqa: ARG002
        async with self.world.faults.around("gates.discard"):
            self.world.touch(f"discard {member} {command.name}")
            hand = self._hand(member)
            hand.accept(command.epoch)
            return hand.discard(command.name)


class FakePostgres:
    """SQL."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def facts(
        self, target: PostgresTarget, member: str, *, within: timedelta = timedelta(seconds=3)  # noqa: ARG002
    ) -> SqlFact:  # fmt: skip
        async with self.world.faults.around("postgres.facts"):
            found = self._running(self.world.members[member])
            return SqlFact(in_recovery=found.role is Role.STANDBY, timeline=found.timeline, system_identifier=found.system)

    async def own_transactions(
        self, target: PostgresTarget, member: str, *, within: timedelta = timedelta(seconds=3)  # noqa: ARG002
    ) -> int:  # fmt: skip
        async with self.world.faults.around("postgres.own_transactions"):
            self._running(self.world.members[member])
            return self.world.own_transactions

    async def sessions(self, target: PostgresTarget, member: str) -> tuple[SessionFact, ...]:  # noqa: ARG002
        async with self.world.faults.around("postgres.sessions"):
            self._running(self.world.members[member])
            ago = 0.0 if self.world.app_writes else None
            return tuple(SessionFact(address=one, user="app", wrote_seconds_ago=ago) for one in self.world.app_addresses)

    async def verify_write(self, target: PostgresTarget, leader: str) -> Verified:  # noqa: ARG002
        async with self.world.faults.around("postgres.verify_write"):
            self.world.touch("verify")
            found = self.world.behind_service()
            if found is None or found.name != leader or not found.writes:
                raise UnreachableError(f"behind the write Service answers {found and found.name}, not yet {leader}")
            if found.full:
                raise UnreachableError(f"{leader}: too many clients already", Silence.NO_ROOM)
            return Verified(
                leader=leader, endpoints=(), write_milliseconds=1.0, verified_at=datetime.now(UTC),
                refused=self.world.refuses_writes,
            )  # fmt: skip

    async def try_write(self, target: PostgresTarget) -> str:  # noqa: ARG002
        async with self.world.faults.around("postgres.try_write"):
            self._running(self.world.behind_service())
            return self.world.refuses_writes

    async def prepare_rows(self, target: PostgresTarget) -> None:  # noqa: ARG002
        async with self.world.faults.around("postgres.prepare_rows"):
            self.world.touch("rows")

    async def write_row(self, target: PostgresTarget, run: str, row: int, *, timeout: timedelta) -> None:  # noqa: ARG002
        if not self.world.insert((run, row)):
            raise WriteFailedError("08006", "connection refused")

    async def missing_rows(self, target: PostgresTarget, run: str, rows: tuple[int, ...]) -> int:  # noqa: ARG002
        async with self.world.faults.around("postgres.missing_rows"):
            found = self._running(self.world.behind_service())
            return sum((run, row) not in found.rows for row in rows)

    async def remove_rows(self, target: PostgresTarget, run: str) -> None:
        """Keep the rows: the test counts them afterwards."""

    async def add_test(self, target: PostgresTarget, row: str, run: str) -> None:  # noqa: ARG002
        async with self.world.faults.around("postgres.add_test"):
            if not self.world.insert((row, 0)):
                raise UnreachableError("nobody has acknowledged it", Silence.REFUSED)

    async def has_test(self, target: PostgresTarget, member: str, row: str) -> bool:  # noqa: ARG002
        async with self.world.faults.around("postgres.has_test"):
            return (row, 0) in self._running(self.world.members[member]).rows

    def _running(self, member: Member | None) -> Member:
        if member is not None and member.hidden:
            raise UnreachableError(f"{member.name} is not reachable from here", Silence.NO_CONNECTION)
        if member is None or member.sql_silence is not None:
            silence = member.sql_silence if member and member.sql_silence else Silence.REFUSED
            raise UnreachableError(f"{member and member.name}: {silence.value}", silence)
        return member


def systems_of(world: World) -> Systems:
    """Return the clients of ``world``."""
    return Systems(FakeKubernetes(world), FakeLeaderRecords(world), FakeGates(world), FakePostgres(world))


class NoMachines(NodeMachines):
    """Nobody says anything about any machine."""

    def __init__(self) -> None:
        """Ask nobody."""

    async def until_stopped(self, region: Region, name: str) -> str:  # noqa: ARG002
        return await asyncio.Future()
