"""``failover resume``, and what ``status`` says of a run that did not come to its end."""

from __future__ import annotations

import pytest

from starters.commands.resume import _again
from starters.history.parse import Chronicle
from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.starters.conftest import Stage
from tests.starters.test_usage import run
from workflows.postgres.models import FailoverRequest

_START = ("start", "postgres-failover")


async def _resume(stage: Stage) -> tuple[int, str]:
    ran = await stage.failover("resume", stage.cluster, "--by", "dana", "--watch")
    return ran.code, ran.out + ran.err


@pytest.mark.parametrize(
    ("faults", "matter", "end", "leader"),
    [
        (["postgres.verify"], "moves nothing", "An earlier run's switch was finished", B),
        (["postgres.finish"], "moves nothing", "An earlier run's switch was finished", B),
        (["postgres.promote", "postgres.give_back"], "WRITES MAY BE STOPPED", "Done", B),
        (["postgres.fence", "postgres.give_back"], "WRITES MAY BE STOPPED: the undo", "Done", B),
    ],
)
async def test_status_explains_what_is_left_and_resume_finishes_it(
    stage: Stage, faults: list[str], matter: str, end: str, leader: str
) -> None:
    for step in faults:
        stage.world.faults.order(step, Fault.REFUSED)
    moved = await stage.failover(*_START, stage.cluster, "--by", "omar", "--reason", "disk", "--watch")
    status = await stage.failover("status", stage.cluster)
    code, said = await _resume(stage)

    assert (moved.code, status.code, code) == (1, 1, 0), (moved, status, said)
    for part in (matter, "Left to do", f"failover resume {stage.cluster} --by YOU"):
        assert part in status.out
    assert end in said
    assert f"resume of {moved.out.rpartition('; run ')[2].split()[0]}: disk" in said
    assert "asked by dana" in said
    assert stage.world.record.leader == leader
    await stage.bench.until_consistent()
    assert (await _resume(stage))[0] == 3


async def test_a_terminated_run_is_resumed_even_after_others_were_refused(stage: Stage) -> None:
    fence = stage.world.faults.order("postgres.fence", Fault.OUTLIVES)
    handle = await stage.bench.switch(to=B)
    await fence.reached.wait()
    await handle.terminate("by mistake")
    fence.released.set()
    status = await stage.failover("status", stage.cluster, "--output", "json")
    rejoin = await stage.failover("start", "postgres-rejoin", stage.cluster, "--watch")
    code, said = await _resume(stage)

    assert (status.code, rejoin.code, code) == (1, 3, 0), said
    assert status.document["resumable"] is True
    assert (stage.world.record.leader, "resume of" in said) == (B, True)
    await stage.bench.until_consistent()


async def test_what_would_move_the_writes_once_more_is_not_resumed(stage: Stage) -> None:
    stage.world.faults.order("kubernetes.reconnect", Fault.REFUSED)
    await stage.failover(*_START, stage.cluster, "--watch")
    status = await stage.failover("status", stage.cluster)
    code, said = await _resume(stage)

    assert code == 3
    for words in (status.out, said):
        assert "Do not start postgres-failover again" in words
    assert "failover resume" not in status.out
    assert stage.world.record.leader == B


async def test_nothing_is_resumed_while_somebody_else_writes_the_record(stage: Stage) -> None:
    route = stage.world.faults.order("postgres.route", Fault.HANGS)
    handle = await stage.bench.switch()
    await route.reached.wait()
    stage.world.write(epoch=9, intent=None, run="somebody/else")
    route.released.set()
    assert (await stage.bench.refused(handle)).type == "Stranded"
    code, said = await _resume(stage)

    assert (code, "Start nothing yet" in said) == (3, True), said


async def test_a_run_that_ended_well_or_was_undone_leaves_nothing(stage: Stage) -> None:
    stage.world.faults.order("postgres.fence", Fault.REFUSED)
    undone = await stage.failover(*_START, stage.cluster, "--watch")
    first = await _resume(stage)
    done = await stage.failover(*_START, stage.cluster, "--watch")
    second = await _resume(stage)

    assert (undone.code, done.code, first[0], second[0]) == (1, 0, 3, 3)
    assert "nothing to resume" in first[1]
    assert stage.world.record.leader == B


async def test_an_open_run_is_not_started_twice(asking: Stage) -> None:
    await asking.waits_for_approval()
    code, said = await _resume(asking)

    assert (code, f"failover status {asking.cluster}" in said, "still open" in said) == (4, True, True)


async def test_a_stranded_run_that_is_still_open_goes_on_by_itself(stage: Stage) -> None:
    stage.world.faults.order("postgres.promote", Fault.REFUSED)
    hanging = stage.world.faults.order("postgres.give_back", Fault.HANGS)
    handle = await stage.bench.switch()
    await hanging.reached.wait()
    code, said = await _resume(stage)
    status = await stage.failover("status", stage.cluster)
    hanging.released.set()

    assert (code, status.code) == (0, 0)
    for words in (said, status.out):
        assert f"{B} did not confirm its promotion" in words
        assert f"failover follow {stage.cluster}" in words
    assert await stage.bench.ending(handle) == "RolledBack"
    assert stage.world.record.leader == A


def test_a_name_is_needed() -> None:
    ran = run("resume", "orders")
    assert (ran.exit_code, ran.stderr.startswith("failover: by: missing")) == (2, True)


def test_the_word_that_the_old_primary_is_stopped_is_not_taken_over_and_reasons_do_not_grow() -> None:
    asked = {"cluster": "orders", "mode": "forced", "run": "real", "by": "omar", "attest": True, "reason": "x" * 1000}
    first = _again(Chronicle(workflow="postgres-failover", run_id="r1", asked=asked), "dana")
    second = _again(Chronicle(workflow="postgres-failover", run_id="r2", asked=first, first_reason="x" * 1000), "mona")
    request = FailoverRequest.model_validate(second)
    assert (request.attest, request.by, request.run.value) == (False, "mona", "real")
    assert request.reason.startswith("resume of r2: xxx")
