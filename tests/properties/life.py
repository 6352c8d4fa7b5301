"""One cluster's life: its members, its record and its runs, what can break of them, and what must always hold."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import pytest

from activities.run.inventory import Inventory
from gate.api import ServerState
from tests.fakes.member import Member
from tests.fakes.world import A, B, C
from tests.postgres.bench import flaws_of, write_estate
from tests.postgres.worker import steps_for
from tests.properties.attempt import Attempt
from tests.properties.clock import JumpingLoop
from tests.properties.orchestra import Orchestra, Run
from tests.properties.world import HarshWorld
from workflows.postgres.repair import PostgresRepair

T = TypeVar("T")
_CLUSTER, _LOCK = "orders", "postgres/orders"
_SAID = {"stranded", "rollback incomplete", "terminated"}
"""Outcomes after which something may be left in the record."""


class Life:
    """From ``_begin_with`` to ``_end``, by a clock that jumps."""

    tally: ClassVar[dict[str, int]] = {}

    def _begin_with(self, *, three: bool, proof: list[str], relaxes: bool, all_listed: bool) -> None:
        self._loop = JumpingLoop()
        self._loop.set_exception_handler(lambda *_: None)  # a run that is terminated leaves errors that nobody fetches
        self._folder = tempfile.TemporaryDirectory(prefix="failover-campaign-")
        estate = Path(self._folder.name) / "estate.yaml"
        self._clocks = pytest.MonkeyPatch()
        for module in ("activities.postgres.fencing", "activities.postgres.post_promotion"):
            self._clocks.setattr(f"{module}.time", SimpleNamespace(monotonic=self._loop.time))
        self._clocks.setattr("workflows.postgres.planning.set_back.CLEARLY_LATER", timedelta(seconds=0.1))  # lives are short
        members = (A, B, C) if three else (A, B)
        self._listed = members if all_listed else (A, B)
        self._loop.run_until_complete(self._begin(estate, members, proof, relaxes=relaxes))

    async def _begin(self, estate: Path, members: tuple[str, ...], proof: list[str], *, relaxes: bool) -> None:
        self.world = world = HarshWorld(members)
        world.relaxes = relaxes
        self._estate, self._proof = estate, proof
        self._write_estate(self._listed)
        self.orchestra = Orchestra(steps_for(world, Inventory(estate)))
        self._life = [asyncio.create_task(one) for one in (world.be_alive(), world.be_written_to())]
        self._accused: tuple[str, Run] | None = None
        """Who is said to be stopped, and in which run."""
        self._frozen: list[Attempt] = []
        self._repairing: Run | None = None
        self._of_the_past = set[str]()
        """Runs that an older record may name."""

    def _write_estate(self, listed: tuple[str, ...]) -> None:
        forced = {"proof": self._proof, "isolation_timeout": "PT1S", "proof_within": "PT4S", "redundancy_within": "PT1S"}
        write_estate(self._estate, _CLUSTER, members=list(listed), forced=forced, records=None)

    def _pass(self, seconds: float) -> None:
        self._loop.run_until_complete(asyncio.sleep(seconds))

    def _soon(self, what: Callable[[T], None], whom: T | None) -> None:
        """Do it inside the loop."""
        if whom is not None:
            self._loop.call_soon(what, whom)
            self._pass(0)

    def _count(self, what: str) -> None:
        self.tally[what] = self.tally.get(what, 0) + 1

    @property
    def _open(self) -> Run | None:
        return next((run for run in self._switches if run.is_open), None)

    @property
    def _switches(self) -> list[Run]:
        return [run for run in self.orchestra.runs if run.workflow_id == _LOCK]

    @property
    def _leader(self) -> Member:
        """The member that the record names."""
        return self.world.members[self.world.record.leader]

    def _member(self, which: int) -> Member:
        return list(self.world.members.values())[which % len(self.world.members)]

    def _start(self, kind: type, **request: Any) -> Run:
        return self._begun(kind, {"run": "real", **request}, _LOCK)

    def _begun(self, kind: type, request: dict[str, Any], workflow_id: str) -> Run:
        async def start() -> Run:
            return self.orchestra.start(kind, {"cluster": _CLUSTER, "by": "omar", **request}, workflow_id)

        return self._loop.run_until_complete(start())

    def _repair(self, leader: str | None = None) -> None:
        if self._repairing is None or not self._repairing.is_open:
            request = {"reason": "it was put back", "leader": leader}
            self._repairing = self._begun(PostgresRepair, request, "repair/postgres/orders")

    def _tell_the_worker(self, what: str) -> None:
        """Let it be killed, freeze or wake up, whatever it does just now."""
        if what == "freezes":
            self._frozen += self.orchestra.attempts
        does = {"is killed": Attempt.kill, "freezes": Attempt.freeze, "wakes up": Attempt.thaw}[what]
        for attempt in list(self._frozen if what == "wakes up" else self.orchestra.attempts):
            self._soon(does, attempt)
        self._frozen = [] if what == "wakes up" else self._frozen

    @property
    def _broken(self) -> int:
        members = self.world.members.values()
        return sum(
            not (one.alive and one.reachable) or one.frozen or one.server_frozen or one.asynchronous for one in members
        )

    def _break(self, member: Member, how: str) -> None:
        if how == "dies":
            member.die()
        elif how == "lags":
            member.asynchronous = True
        elif how == "is hidden":
            member.hidden = True
        elif how == "is cut off":
            member.reachable = member.reachable and not self._may_be_gone(member)
        elif how == "is suspended" and self._may_be_gone(member):
            self.world.suspend(member)
        elif how == "freezes":
            member.frozen = member.alive and self._may_be_gone(member)
        elif how == "its server freezes" and member.server is ServerState.RUNNING:
            member.server_frozen = True

    def _is_accused(self, member: Member) -> bool:
        """Whether somebody has said of it that it is stopped, in a run that may still act on that."""
        if self._accused is None or not self._accused[1].is_open:
            return False
        return self._accused[0] == member.name == self.world.record.leader

    def _may_be_gone(self, member: Member) -> bool:
        """Keep a true word from becoming a lie: who is said to be stopped comes back only where the API server tells it."""
        return not (self._is_accused(member) and member.alive and not member.frozen)

    def _bring_back(self, member: Member) -> None:
        if self._is_accused(member) and not self.world.api_answers:
            return
        member.alive, member.reachable, self.world.apart = True, True, frozenset()
        member.hidden = member.server_frozen = member.asynchronous = False
        if member.frozen:
            self.world.thaw(member)

    def _must_keep_promises(self) -> None:
        """Find nothing that must never be, at this moment."""
        self._count("events")
        assert self.world.violations == []
        assert not any(task.done() for task in self._life), self._life
        self._no_promised_row_is_lost()
        record = self.world.record
        owner = record.owner
        for run in (one for one in self._switches if one.run_id not in self._of_the_past):
            if not run.is_open and owner == f"{run.workflow_id}/{run.run_id}":
                assert run.ending in _SAID, f"{run.run_id} ended {run.ending} and left {owner} in the record"

    def _no_promised_row_is_lost(self) -> None:
        """Allow what a plan had named: it is a person's decision then."""
        plans = [run.instance.state.plan for run in self._switches if run.instance]
        named = {plan.candidate for plan in plans if plan and not plan.lossless}
        assert {member for member, _ in self.world.losses} <= named, f"lost: {self.world.losses}, named: {named}"
        leader = self._leader
        leads = leader.writes and not self.world.confirms_nothing_yet(leader)
        assert not leads or self.world.promised <= leader.rows, f"{leader.name} leads without acknowledged rows"

    def _end(self) -> None:
        self._loop.end_all_tasks()
        self._clocks.undo()
        self._folder.cleanup()
        self._loop.close()

    def _done(self, run: Run) -> None:
        self._until(lambda: not run.is_open, 60)

    def _until(self, holds: Any, seconds: float) -> None:
        ends = self._loop.time() + seconds
        while not holds():
            if self._loop.time() > ends:
                raise AssertionError(
                    f"not within {seconds} s: {flaws_of(self.world)}, open {self._open}, {self.world.record}"
                )
            self._pass(0.1)
