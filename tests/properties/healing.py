"""The end of a life: everything is healed, people do what doctor and gates say, and the cluster must be without flaws."""

from __future__ import annotations

from gate.api import ServerState
from tests.fakes.member import Member, is_ahead
from tests.postgres.bench import flaws_of
from tests.properties.life import Life
from tests.properties.orchestra import Run
from workflows.postgres.failover import PostgresFailover


class HealedLife(Life):
    """A life that ends well."""

    def _heal(self) -> None:
        """Heal everything, start once more, and expect a cluster without flaws."""
        self.world.bring_api_server_back()
        self._tell_the_worker("wakes up")
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
        self._must_keep_promises()
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
            self._give_up(self._leader)
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
        state, record = self._leader.state, self.world.record
        return state.fenced_at is not None and record.intent is None and state.fenced_at >= record.epoch

    @property
    def _leader_is_held(self) -> bool:
        """Whether the leader's gate says that its disk was set back."""
        leader = self._leader
        return leader.server is ServerState.STOPPED and self._leader_lacks_wal

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
