"""What counts as proof with a second standby: what that one has received must be known, or the plan must not promise it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.ports import UnreachableError
from activities.clients.systems import Systems
from activities.postgres import fencing
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.transfer import Proof, ProveRequest, Switch
from activities.run.models.wire import RunId
from gate.api import Fenced, GateStatus, SealCommand, Sealed
from gate.record import Mode
from tests.fakes.clients import NoMachines
from tests.postgres.samples import NOW, SYSTEM, A, B, C, status, target

STOPPED = Fenced(
    epoch=6, clean=True, timeline=3, checkpoint_lsn="0/4FFFF88", end_lsn="0/5000000", sessions_ended=0, stopped_at=NOW
)


class _Gates:
    """The old primary is silent, or stops; the other standby has received up to ``other``, or is silent too."""

    def __init__(self, other: str | None, fenced: Fenced | None, *, deaf: bool) -> None:
        self.other, self.fenced, self.deaf = other, fenced, deaf

    async def fence(self, *_: Any, **__: Any) -> Fenced:
        if self.fenced is None:
            raise UnreachableError(f"the gate of {A} is not reachable")
        return self.fenced

    async def seal(self, _: Any, name: str, command: SealCommand) -> Sealed:
        """Accept every epoch; one that is deaf goes on receiving."""
        if self.deaf and name == C:
            raise UnreachableError(f"the gate of {C} does not answer in time")
        return Sealed(epoch=command.epoch, promoted=False, status=status(name))

    async def status(self, _: Any, name: str, **__: Any) -> GateStatus:
        if self.other is None:
            raise UnreachableError(f"the gate of {name} is not reachable")
        return status(name, receive_lsn=self.other)


async def _prove(
    other: str | None, *, fenced: Fenced | None = None, deaf: bool = False, lossless: bool = True, **promised: Any
) -> Proof:  # fmt: skip
    plan = PostgresPlan(
        cluster="orders", mode=Mode.FORCED, primary=A, candidate=B, epoch=5, timeline=3, system_identifier=SYSTEM,
        sync=f"{B},{C}", steps=(), digest="d", lossless=lossless, **promised,
    )  # fmt: skip
    switch = Switch(target=target(), plan=plan, epoch=6, run=RunId(workflow_id="postgres/orders", run_id="1"))
    systems = Systems(cast("Any", None), cast("Any", None), cast("Any", _Gates(other, fenced, deaf=deaf)), cast("Any", None))
    request = ProveRequest(switch=switch, attested_by="dana")
    return cast("Proof", await ActivityEnvironment().run(fencing.ProveActivities(systems, NoMachines()).prove, request))


async def test_the_candidate_must_have_what_the_other_standby_has_received() -> None:
    assert (await _prove("0/4000000")).at_least_lsn == "0/4000000"


async def test_wal_of_another_history_is_not_asked_of_the_candidate() -> None:
    assert (await _prove("0/4000000", lossless=False, other_wal=(C,))).at_least_lsn is None


async def test_a_silent_standby_that_a_commit_may_have_waited_for_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fencing, "_UNHEARD_SECONDS", 0.3)
    with pytest.raises(ApplicationError, match=f"dana says that it is stopped; but the gate of {C}.*Start again") as refused:
        await _prove(None)
    assert (refused.value.type, refused.value.non_retryable) == ("CandidateBehind", True)


async def test_one_that_may_still_confirm_commits_counts_as_silent_unless_its_primary_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fencing, "_UNHEARD_SECONDS", 0.3)
    with pytest.raises(ApplicationError, match=f"but {C} still receives WAL and confirms commits"):
        await _prove("0/4000000", deaf=True)
    assert (await _prove("0/4000000", deaf=True, fenced=STOPPED)).at_least_lsn == "0/4000000"


async def test_a_loss_by_weak_settings_is_no_reason_to_lose_what_waited_for_a_standby(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fencing, "_UNHEARD_SECONDS", 0.3)
    with pytest.raises(ApplicationError) as refused:
        await _prove(None, lossless=False, keeps_what_waited=True)
    assert refused.value.type == "CandidateBehind"


async def test_a_silent_standby_is_left_out_where_the_plan_accepts_a_loss() -> None:
    assert (await _prove(None, lossless=False)).at_least_lsn is None


@pytest.mark.parametrize(("other", "needed"), [("0/4000000", "0/4000000"), (None, "0/5000000")])
async def test_the_end_of_a_clean_stop_is_wanted_and_needed_only_where_the_other_standby_is_silent(
    other: str | None, needed: str
) -> None:
    proof = await _prove(other, fenced=STOPPED)
    assert (proof.at_least_lsn, proof.wanted_lsn) == (needed, "0/5000000")
