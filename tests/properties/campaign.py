"""What can happen to a cluster and to the runs that change it, in any order; what must hold whatever happens."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gate.api import ServerState
from tests.properties.healing import HealedLife
from workflows.postgres.failover import PostgresFailover
from workflows.postgres.rejoin import PostgresRejoin

_SECONDS = st.sampled_from([0.005, 0.015, 0.03, 0.06, 0.1, 0.3, 0.6, 1.2, 3.0])
_WHICH = st.integers(min_value=0, max_value=2)
_WAYS_TO_GO = st.sampled_from(["dies", "freezes", "is cut off", "is hidden", "its server freezes", "lags", "is suspended"])
_MOST_THAT_IS_BROKEN = 2
"""More at once, and hardly anything ever happens."""
_PROOFS = st.sampled_from([["gate", "attested"], ["gate", "isolation"], ["gate", "isolation", "attested"]])


class Campaign(RuleBasedStateMachine, HealedLife):
    """One cluster's life, in which anything happens."""

    @initialize(three=st.booleans(), proof=_PROOFS, relaxes=st.booleans(), all_listed=st.booleans())
    def begin(self, *, three: bool, proof: list[str], relaxes: bool, all_listed: bool = True) -> None:
        self._begin_with(three=three, proof=proof, relaxes=relaxes, all_listed=all_listed)

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @precondition(lambda self: self._open is None)
    @rule(kind=st.sampled_from(["planned", "forced", "rejoin"]), attest=st.booleans(), seconds=_SECONDS)
    def somebody_starts_a_run(self, kind: str, seconds: float, *, attest: bool) -> None:
        leader = self._leader
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
        self._break(self._leader, how)
        self._pass(0.1)
        self.somebody_starts_a_run("forced", seconds, attest=attest)

    @precondition(lambda self: self._open is not None)
    @rule(how=st.sampled_from(["cancelled", "terminated"]), seconds=_SECONDS)
    def the_run_is_ended_by_hand(self, how: str, seconds: float) -> None:
        self._soon(self.orchestra.cancel if how == "cancelled" else self.orchestra.terminate, self._open)
        self._pass(seconds)

    @precondition(lambda self: self._broken == 0 and self._may_be_gone(self._leader))
    @rule(seconds=_SECONDS)
    def the_network_falls_apart(self, seconds: float) -> None:
        """Leave the primary on one side, with the third member if there is one."""
        together = [self._leader, *list(self.world.members.values())[2:]]
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

    @rule(gates=st.booleans(), workers=st.booleans(), seconds=_SECONDS)
    def the_api_server_comes_or_goes(self, seconds: float, *, gates: bool, workers: bool) -> None:
        if gates or all(self._may_be_gone(member) for member in self.world.members.values()):
            self.world.api_answers = gates
        self.world.faults.silenced = "" if workers else "kubernetes."
        self._pass(seconds)

    @rule(what=st.sampled_from(["is killed", "freezes", "wakes up"]), seconds=_SECONDS)
    def the_worker(self, what: str, seconds: float) -> None:
        self._tell_the_worker(what)
        self._pass(seconds)

    @invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "world"):
            self._must_keep_promises()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self._heal()
        finally:
            self._end()
