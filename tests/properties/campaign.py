"""What can happen to a cluster and to the runs that change it, in any order; what must hold whatever happens."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.run.inventory import Inventory
from gate.api import ServerState
from tests.fakes.member import Member, is_ahead
from tests.fakes.world import A, B, C
from tests.postgres.bench import flaws_of, write_estate
from tests.postgres.worker import steps_for
from tests.properties.attempt import Attempt
from tests.properties.clock import JumpingLoop
from tests.properties.orchestra import Orchestra, Run
from tests.properties.world import HarshWorld
from workflows.postgres.failover import PostgresFailover
from workflows.postgres.rejoin import PostgresRejoin
from workflows.postgres.repair import PostgresRepair

T = TypeVar("T")
_CLUSTER, _LOCK = "orders", "postgres/orders"
_SECONDS = st.sampled_from([0.005, 0.015, 0.03, 0.06, 0.1, 0.3, 0.6, 1.2, 3.0])
_WHICH = st.integers(min_value=0, max_value=2)
_WAYS_TO_GO = st.sampled_from(["dies", "freezes", "is cut off", "is hidden", "its server freezes", "lags", "is suspended"])
_MOST_THAT_IS_BROKEN = 2
"""More at once, and hardly anything ever happens."""
_PROOFS = st.sampled_from([["gate", "attested"], ["gate", "isolation"], ["gate", "isolation", "attested"]])
_SAID = {"stranded", "rollback incomplete", "terminated"}
"""Outcomes after which something may be left in the record."""


class Campaign(RuleBasedStateMachine):
    """One cluster's life."""

    tally: ClassVar[dict[str, int]] = {}

    @initialize(three=st.booleans(), proof=_PROOFS, relaxes=st.booleans(), all_listed=st.booleans())
    def begin(self, *, three: bool, proof: list[str], relaxes: bool, all_listed: bool = True) -> None:
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

    def _member(self, which: int) -> Member:
        return list(self.world.members.values())[which % len(self.world.members)]

    def _start(self, kind: type, **request: Any) -> Run:
        return self._begun(kind, {"run": "real", **request}, _LOCK)

    def _begun(self, kind: type, request: dict[str, Any], workflow_id: str) -> Run:
        async def start() -> Run:
            return self.orchestra.start(kind, {"cluster": _CLUSTER, "by": "omar", **request}, workflow_id)

        return self._loop.run_until_complete(start())

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @precondition(lambda self: self._open is None)
    @rule(kind=st.sampled_from(["planned", "forced", "rejoin"]), attest=st.booleans(), seconds=_SECONDS)
    def somebody_starts_a_run(self, kind: str, seconds: float, *, attest: bool) -> None:
        leader = self.world.members[self.world.record.leader]
        attest = attest and kind == "forced" and (leader.frozen or leader.server is ServerState.STOPPED)
        if kind == "rejoin":
            self._start(PostgresRejoin)
        else:
            attest = attest and not self.world.is_suspended(leader)  # nobody can know that it stays so
            run = self._start(PostgresFailover, mode=kind, attest=attest)
            self._accused = (leader.name, run) if attest else self._accused
        self._pass(seconds)

    @precondition(lambda self: self._open is None)
    @rule(how=_WAYS_TO_GO, attest=st.booleans(), seconds=_SECONDS)
    def the_primary_is_lost_and_somebody_fails_over(self, how: str, seconds: float, *, attest: bool) -> None:
        self._break(self.world.members[self.world.record.leader], how)
        self._pass(0.1)
        self.somebody_starts_a_run("forced", seconds, attest=attest)

    @precondition(lambda self: self._open is not None)
    @rule(how=st.sampled_from(["cancelled", "terminated"]), seconds=_SECONDS)
    def the_run_is_ended_by_hand(self, how: str, seconds: float) -> None:
        self._soon(self.orchestra.cancel if how == "cancelled" else self.orchestra.terminate, self._open)
        self._pass(seconds)

    @precondition(lambda self: self._broken == 0 and self._may_be_gone(self.world.members[self.world.record.leader]))
    @rule(seconds=_SECONDS)
    def the_network_falls_apart(self, seconds: float) -> None:
        """Leave the primary on one side, with the third member if there is one."""
        together = [self.world.members[self.world.record.leader], *list(self.world.members.values())[2:]]
        self.world.apart = frozenset(one.name for one in together)
        for member in together:
            member.hidden = True
        self._pass(seconds)

    @precondition(lambda self: self._broken < _MOST_THAT_IS_BROKEN)
    @rule(which=_WHICH, how=_WAYS_TO_GO, seconds=_SECONDS)
    def a_member_breaks(self, which: int, how: str, seconds: float) -> None:
        self._break(self._member(which), how)
        self._pass(seconds)

    @rule(which=_WHICH, seconds=_SECONDS)
    def a_member_comes_back(self, which: int, seconds: float) -> None:
        self._bring_back(self._member(which))
        self._pass(seconds)

    @rule(which=_WHICH, seconds=_SECONDS)
    def a_member_comes_back_with_an_older_disk(self, which: int, seconds: float) -> None:
        member = self._member(which)
        member.die()
        if self.world.set_back(member):
            self._count("disks set back")
        self._bring_back(member)
        self._pass(seconds)

    @rule(age=st.floats(0, 1), seconds=_SECONDS)
    def somebody_puts_an_older_record_back(self, age: float, seconds: float) -> None:
        if self.world.put_back_a_copy(age):
            self._of_the_past = {run.run_id for run in self.orchestra.runs}
            self._count("records put back")
        self._pass(seconds)

    @rule(seconds=_SECONDS)
    def somebody_repairs_the_record(self, seconds: float) -> None:
        self._repair()
        self._pass(seconds)

    def _repair(self, leader: str | None = None) -> None:
        if self._repairing is None or not self._repairing.is_open:
            request = {"reason": "it was put back", "leader": leader}
            self._repairing = self._begun(PostgresRepair, request, "repair/postgres/orders")

    @rule(gates=st.booleans(), workers=st.booleans(), seconds=_SECONDS)
    def the_api_server_comes_or_goes(self, seconds: float, *, gates: bool, workers: bool) -> None:
        if gates or all(self._may_be_gone(member) for member in self.world.members.values()):
            self.world.api_answers = gates
        self.world.faults.silenced = "" if workers else "kubernetes."
        self._pass(seconds)

    @rule(what=st.sampled_from(["is killed", "freezes", "wakes up"]), seconds=_SECONDS)
    def the_worker(self, what: str, seconds: float) -> None:
        if what == "freezes":
            self._frozen += self.orchestra.attempts
        does = {"is killed": Attempt.kill, "freezes": Attempt.freeze, "wakes up": Attempt.thaw}[what]
        for attempt in list(self._frozen if what == "wakes up" else self.orchestra.attempts):
            self._soon(does, attempt)
        self._frozen = [] if what == "wakes up" else self._frozen
        self._pass(seconds)

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

    @invariant()
    def promises_hold(self) -> None:
        if not hasattr(self, "world"):
            return
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
        leader = self.world.members[self.world.record.leader]
        leads = leader.writes and not self.world.confirms_nothing_yet(leader)
        assert not leads or self.world.promised <= leader.rows, f"{leader.name} leads without acknowledged rows"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._heal()
        finally:
            self._loop.end_all_tasks()
            self._clocks.undo()
            self._folder.cleanup()
            self._loop.close()

    def _heal(self) -> None:
        """Heal everything, start once more, and expect a cluster without flaws."""
        self.world.bring_api_server_back()
        self.the_worker("wakes up", 0)
        for member in self.world.members.values():
            self._bring_back(member)
        if len(self._listed) < len(self.world.members):  # as doctor says
            self._write_estate(tuple(self.world.members))
        self._pass(1)
        if self._open is not None and (self._leader_is_held or self._of_the_past):
            self._pass(20)
            self._soon(self.orchestra.terminate, self._open)  # it waits for a leader that does not come back
        self._until(lambda: self._open is None, 60)
        for _ in range(2 if self._of_the_past else 1):  # what a copy of the same epoch says, a run has to carry out first
            self._decide_who_leads()
            self._done(self._start(PostgresFailover, mode="planned"))
        self._until(lambda: not flaws_of(self.world), 10)
        self.promises_hold()
        if self.world.losses:
            self._count("lives with a loss that a plan had named")
        for run in self._switches:
            self._count(f"{run.instance.state.mode} {run.ending}")

    def _decide_who_leads(self) -> None:
        """Do what a person must do where nobody leads by the record."""
        self._pass(2)
        if self._is_older:
            self._repair_for_good()
        if self._leader_lacks_wal:  # as doctor says
            self._give_up(self.world.members[self.world.record.leader])
        elif self._leader_waits_for_what_is_lost:  # as its gate says
            self._leader.die()
            self._bring_back(self._leader)
            self._pass(2)
        if self._leader_is_fenced:  # as a refused planned run says
            self._done(self._start(PostgresFailover, mode="forced", to=self._by_most()[0]))

    def _give_up(self, leader: Member) -> None:
        """Promote who has most, or else the next one, where a refusal says that no member has the rows of all."""
        for standby in self._by_most():
            run = self._promoted_instead_of(leader, standby)
            if run.ending != "refused":
                break
        self._pass(2)

    def _promoted_instead_of(self, leader: Member, standby: str) -> Run:
        """Promote it. Where nobody's word counts, the leader is stopped for that, and its gate proves it."""
        running = leader.server is ServerState.RUNNING
        if running and "attested" not in self._proof:
            leader.die()
        run = self._start(PostgresFailover, mode="forced", to=standby, attest=running and leader.alive)
        self._pass(1)
        self._bring_back(leader)
        self._done(run)
        return run

    def _by_most(self) -> list[str]:
        standbys = [one for one in self.world.members.values() if one.stands_by]
        return [one.name for one in sorted(standbys, key=lambda one: (one.timeline, one.position), reverse=True)]

    def _done(self, run: Run) -> None:
        self._until(lambda: not run.is_open, 60)

    def _repair_for_good(self) -> None:
        """Repair; where nobody runs as primary, say who led last. One that slept through a promotion is stopped first."""
        for one in self.world.members.values():
            if one.writes and one.timeline < self.world.members[self._has_led_last()].timeline:
                one.die()
                self._bring_back(one)
        for leader in (None, self._has_led_last()):
            self._repair(leader)
            self._until(lambda: self._repairing is not None and not self._repairing.is_open, 60)
        assert not self._is_older, self._repairing
        self._pass(2)

    @property
    def _is_older(self) -> bool:
        record = self.world.record
        candidate = record.intent.candidate if record.intent is not None else ""  # an undo raises its epoch first
        seen = [one.state.epoch for name, one in self.world.members.items() if name != candidate]
        return record.epoch < max([*seen, self.world.lease.epoch])

    @property
    def _leader_is_fenced(self) -> bool:
        """Whether a late command of a claim has fenced it, which an old copy of the record has wiped out."""
        state, record = self.world.members[self.world.record.leader].state, self.world.record
        return state.fenced_at is not None and record.intent is None and state.fenced_at >= record.epoch

    @property
    def _leader_is_held(self) -> bool:
        """Whether the leader's gate says that its disk was set back."""
        leader = self.world.members[self.world.record.leader]
        return leader.server is ServerState.STOPPED and self._leader_lacks_wal

    @property
    def _leader(self) -> Member:
        return self.world.members[self.world.record.leader]

    @property
    def _leader_waits_for_what_is_lost(self) -> bool:
        """Whether the leader is held for rows that a standby had, and nobody has any more."""
        return self._leader.server is ServerState.STOPPED and self._leader.known_missing is not None

    @property
    def _leader_lacks_wal(self) -> bool:
        """Whether a standby of its timeline has more than the leader, whose disk was set back."""
        leader = self._leader
        return any(one.stands_by and is_ahead(one, leader) for one in self.world.members.values())

    def _has_led_last(self) -> str:
        """Return whom a person would name where nobody runs as primary."""
        members = self.world.members.values()
        return max(members, key=lambda one: (one.timeline, not one.standby_signal, one.position)).name

    def _until(self, holds: Any, seconds: float) -> None:
        ends = self._loop.time() + seconds
        while not holds():
            if self._loop.time() > ends:
                raise AssertionError(
                    f"not within {seconds} s: {flaws_of(self.world)}, open {self._open}, {self.world.record}"
                )
            self._pass(0.1)
