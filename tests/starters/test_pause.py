"""``failover pause`` against a real server, and what other commands say of a pause."""

from __future__ import annotations

import pytest

from tests.fakes.faults import Fault
from tests.fakes.world import A, B
from tests.starters.command import Command
from tests.starters.conftest import Stage
from tests.starters.test_usage import run

_WHY = ("--by", "mona", "--reason", "look [at] it first")


async def test_a_pause_is_written_shown_and_taken_off(stage: Stage) -> None:
    paused = await stage.failover("pause", stage.cluster, "--for", "2h", *_WHY)
    one, all_of_them = await stage.failover("status", stage.cluster), await stage.failover("status", "-o", "json")
    off = await stage.failover("pause", stage.cluster, "--off")
    after = await stage.failover("status", "-o", "json")

    assert (paused.code, one.code, off.code) == (0, 0, 0), paused.err
    for ran in (paused, one):
        assert f"failover pause {stage.cluster} --off" in ran.out
        assert "by mona: look [at] it first" in ran.out
    (shown,) = [each for each in all_of_them.document["pauses"] if each["cluster"] == stage.cluster]
    assert shown["because"] == "look [at] it first"
    assert "is not paused" in off.out
    assert not [each for each in after.document["pauses"] if each["cluster"] == stage.cluster]
    assert stage.world.record.paused_until == ""


async def test_a_failover_while_paused_says_that_it_is_not_redundant_and_how_to_mend_that(stage: Stage) -> None:
    await stage.failover("pause", stage.cluster, "--for", "2h", *_WHY)

    moved = await stage.failover("start", "postgres-failover", stage.cluster, "--by", "omar", "--watch")
    status = await stage.failover("status", stage.cluster)
    back = await stage.failover("start", "postgres-rejoin", stage.cluster, "--by", "omar", "--watch")

    assert (moved.code, status.code, back.code) == (0, 0, 0), moved.out
    assert f"NOT REDUNDANT: {A} stays stopped" in moved.out
    assert f"failover start postgres-rejoin {stage.cluster} --member {A}" in moved.out.replace("\n", "")
    assert "paused until" in status.out
    assert f"{A} follows {B}" in back.out


async def test_a_pause_that_cannot_be_written_is_one_sentence(stage: Stage) -> None:
    stage.world.faults.order("kubernetes.write_record", Fault.FORBIDDEN)
    forbidden = await stage.failover("pause", stage.cluster, "--for", "2h", *_WHY)
    unknown = await stage.failover("pause", f"not-{stage.cluster}", "--for", "2h", *_WHY)

    assert (forbidden.code, unknown.code) == (1, 2)
    assert "Role" in forbidden.err
    assert f"it lists {stage.cluster}" in unknown.err


async def test_without_a_worker_nothing_is_started(unserved: Command) -> None:
    ran = await unserved("pause", "orders", "--off")

    assert ran.code == 4
    assert "nothing was started" in ran.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), ("for:", "--off")),
        (("--for", "soon", *_WHY), ("for:", "2h")),
        (("--for", "30d", *_WHY), ("for:", "7 days")),
        (("--for", "2h", "--off"), ("for:", "--off")),
        (("--for", "2h", "--reason", "x"), ("by:", "--by")),
        (("--for", "2h", "--by", "mona"), ("reason:", "--reason")),
    ],
)
def test_bad_input_names_option_and_remedy(args: tuple[str, ...], says: tuple[str, ...]) -> None:
    ran = run("pause", "orders", *args)

    assert ran.exit_code == 2
    assert len(ran.stderr.splitlines()) == 1
    assert all(part in ran.stderr for part in says), ran.stderr
