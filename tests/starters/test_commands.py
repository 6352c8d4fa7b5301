"""The commands against a real server, as processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.fakes.faults import Fault
from tests.fakes.world import A, B, World
from tests.postgres.bench import serving
from tests.starters.conftest import Stage, command_for


async def test_plan_shows_everything_and_changes_nothing(stage: Stage) -> None:
    before = stage.world.snapshot

    ran = await stage.failover("plan", "postgres-failover", stage.cluster)

    assert ran.code == 0, ran.err
    for part in (
        f"{A} → {B}",
        "(planned)",
        "streams synchronously",
        f"+leader: {B}",
        "no way back from here",
        "Nothing was changed",
    ):
        assert part in ran.out
    assert stage.world.snapshot == before


async def test_a_refused_plan_says_why_and_what_was_seen(stage: Stage) -> None:
    stage.world.members[B].alive = False

    ran = await stage.failover("plan", "postgres-failover", stage.cluster)

    assert ran.code == 3
    assert B in ran.err
    assert "no answer" in ran.out


async def test_the_plan_of_a_primary_that_does_not_answer_names_the_forced_one(stage: Stage) -> None:
    stage.world.members[A].alive = False

    ran = await stage.failover("plan", "postgres-failover", stage.cluster)

    assert ran.code == 3
    first, second = ran.err.splitlines()
    assert first.startswith(
        f"failover: WRITES ARE DOWN: its leader {A} answers neither SQL nor its gate; {B} is fit to lead;"
    )
    assert second == f"→ failover plan postgres-failover {stage.cluster} --mode forced"
    started = await stage.failover("start", "postgres-failover", stage.cluster, "--by", "omar")
    assert started.code == 3
    lines = [line.strip() for line in started.out.splitlines()]
    assert lines[2].startswith("WRITES ARE DOWN: "), started.out
    assert lines[3] == second


async def test_start_follows_the_run_and_ends_with_the_verdict(stage: Stage) -> None:
    ran = await stage.failover("start", "postgres-failover", stage.cluster, "--by", "omar", "--watch")

    assert ran.code == 0, ran.err
    assert stage.world.writers == [B]
    for part in ("fencing", "promoting", "objective met", "outage:", "loss: 0"):
        assert part in ran.out


async def test_start_and_watch_answer_with_one_document(stage: Stage) -> None:
    started = await stage.failover("start", "postgres-failover", stage.cluster, "--watch", "--output", "json")
    watched = await stage.failover("watch", stage.cluster, "-o", "json")  # its old name

    assert started.code == watched.code == started.document["exit_code"] == 0
    assert started.document["outcome"] == watched.document["outcome"] == "completed"
    assert started.document["verdict"]["met"] is True
    assert started.document["known"]["measurement"]["lost"] == 0


async def test_a_missed_objective_is_a_failure(temporal: Client, tmp_path: Path) -> None:
    objective = {"rto": "PT0.001S", "rpo": "PT0S"}
    async with serving(temporal, tmp_path, World(), objective=objective) as bench:
        ran = await command_for(temporal, bench.queue)("start", "postgres-failover", bench.cluster, "--watch")

    assert ran.code == 1
    assert "OBJECTIVE MISSED" in ran.out


async def test_what_was_undone_is_a_failure_that_says_so(stage: Stage) -> None:
    stage.world.faults.order("postgres.fence", Fault.REFUSED)

    ran = await stage.failover("start", "postgres-failover", stage.cluster, "--watch")

    assert ran.code == 1
    assert "Undone: the old primary has its writes back" in ran.out
    assert stage.world.writers == [A]


async def test_a_primary_that_lives_is_not_failed_over_by_force_without_a_word(stage: Stage) -> None:
    ran = await stage.failover("start", "postgres-failover", stage.cluster, "--mode", "forced", "--watch")

    assert ran.code == 3
    assert "use mode planned" in ran.out
    assert stage.world.writers == [A]


async def test_an_unknown_cluster_is_bad_input(stage: Stage) -> None:
    ran = await stage.failover("plan", "postgres-failover", f"not-{stage.cluster}")

    assert ran.code == 2
    assert f"it lists {stage.cluster}" in ran.err


async def test_approval_is_asked_for_given_and_reported(asking: Stage) -> None:
    await asking.waits_for_approval()
    status = await asking.failover("status", asking.cluster)
    digest = await asking.digest()

    assert status.code == 4
    assert f"failover approve {asking.cluster} --by NAME --plan {digest}" in status.out
    assert (await asking.failover("report", asking.cluster)).code == 4
    for refused, word in (("omar", "requested this run"), ("mona", "holds none of the roles")):
        vote = await asking.failover("approve", asking.cluster, "--by", refused, "--plan", digest)
        assert (vote.code, word in vote.err) == (3, True), vote
    approved = await asking.failover("approve", asking.cluster, "--by", "dana", "--plan", digest, "--note", "go")
    watched = await asking.failover("follow", asking.cluster)
    report = await asking.failover("report", asking.cluster)

    assert (approved.code, watched.code, report.code) == (0, 0, 0)
    assert re.search(r"approved by dana as DBA, .* \(unverified", report.out)
    assert "approve " in report.out


async def test_approval_needs_the_digest_of_the_plan_that_waits(asking: Stage) -> None:
    await asking.waits_for_approval()

    missing = await asking.failover("approve", asking.cluster, FAILOVER_BY="dana")
    wrong = await asking.failover("approve", asking.cluster, "--by", "dana", "--plan", "00000000")

    digest = await asking.digest()
    assert missing.code == 2
    assert f"see the plan that waits with failover status {asking.cluster}" in missing.err
    assert missing.err.splitlines()[-1] == f"failover approve {asking.cluster} --by dana --plan {digest}"
    assert wrong.code == 3
    assert "00000000 is not the plan that waits" in wrong.err


async def test_a_rejection_ends_the_run(asking: Stage) -> None:
    await asking.waits_for_approval()
    digest = await asking.digest()

    rejected = await asking.failover("reject", asking.cluster, "--by", "dana", "--plan", digest, "--note", "not today")
    watched = await asking.failover("follow", asking.cluster)

    assert rejected.code == 0
    assert watched.code == 3
    assert "not today" in watched.out


async def test_a_held_lock_is_refused_with_its_holder(asking: Stage) -> None:
    await asking.waits_for_approval()

    ran = await asking.failover("start", "postgres-rejoin", asking.cluster)

    assert ran.code == 3
    for part in ("held by postgres-failover", "by omar", "awaiting approval", f"failover follow {asking.cluster}"):
        assert part in ran.err


async def test_cancel_stops_a_waiting_run(asking: Stage) -> None:
    await asking.waits_for_approval()

    cancelled = await asking.failover("cancel", asking.cluster)
    report = await asking.failover("report", asking.cluster)
    again = await asking.failover("cancel", asking.cluster)

    assert (cancelled.code, report.code, again.code) == (0, 1, 3)
    assert report.out.count("Cancelled before anything had changed") == 1
    assert "cancelled by somebody, by command; nothing was changed" in report.out


async def test_a_cancel_says_who_and_why(asking: Stage) -> None:
    await asking.waits_for_approval()

    nobody = await asking.failover("cancel", asking.cluster, "--by", "zed")
    cancelled = await asking.failover("cancel", asking.cluster, "--by", "mona", "--reason", "the wrong cluster")
    report = await asking.failover("report", asking.cluster, "-o", "json")
    text = await asking.failover("report", asking.cluster)

    assert nobody.code == 2
    assert "people: nobody is called zed; the estate lists dana, mona, omar" in nobody.err
    assert cancelled.code == 0
    assert report.document["reason"] == "cancelled by mona: the wrong cluster; nothing was changed"
    assert (report.document["cancel_asked_by"], report.document["cancel_reason"]) == ("mona", "the wrong cluster")
    assert "cancelled by mona, " in text.out


async def test_cancel_past_the_point_of_no_return_is_refused(stage: Stage) -> None:
    stage.world.faults.order("postgres.verify", Fault.SILENT, for_ever=True)
    await stage.failover("start", "postgres-failover", stage.cluster)
    await stage.bench.until(lambda: "postgres.verify" in stage.world.faults.calls)

    ran = await stage.failover("cancel", stage.cluster)
    stage.world.faults.lift("postgres.verify")

    assert ran.code == 3
    assert "point of no return" in ran.err
    assert (await stage.failover("watch", stage.cluster)).code == 0


async def test_a_rejoin_is_planned_and_done(stage: Stage) -> None:
    planned = await stage.failover("plan", "postgres-rejoin", stage.cluster, "--member", B)
    done = await stage.failover("start", "postgres-rejoin", stage.cluster, "--member", B, "--watch")
    nobody = await stage.failover("plan", "postgres-rejoin", stage.cluster, "--member", A)

    assert (planned.code, done.code, nobody.code) == (0, 0, 2)
    assert f"would rejoin: {B}" in planned.out
    assert f"{B} follows {A}" in done.out


@pytest.mark.parametrize("form", ["text", "html"])
async def test_a_reader_that_leaves_early_changes_nothing(stage: Stage, form: str) -> None:
    await stage.failover("start", "postgres-failover", stage.cluster, "--watch")
    process = await stage.failover.begin("report", stage.cluster, "--format", form)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]

    assert await process.stderr.read() == b""
    assert await process.wait() == 0


async def test_history_lists_who_did_what(stage: Stage) -> None:
    await stage.failover("start", "postgres-failover", stage.cluster, "--by", "omar", "--watch")

    ran = await stage.failover("history", stage.cluster, "--output", "json")
    text = await stage.failover("history", stage.cluster)

    (run,) = ran.document["runs"]
    assert (run["by"], run["mode"], run["outcome"]) == ("omar", "planned", "completed")
    assert run["seconds"] > 0
    assert run["run_id"] in text.out
    assert (await stage.failover("report", run["run_id"])).code == 0


async def test_the_forced_plan_of_a_living_primary_says_first_that_it_is_not_needed(stage: Stage) -> None:
    ran = await stage.failover("plan", "postgres-failover", stage.cluster, "--mode", "forced")

    assert ran.code == 3
    lines = [line.strip() for line in ran.out.splitlines()]
    assert lines[1] == f"Not needed: {A} answers SQL. A start would be refused (PrimaryAlive)."
    assert "To do it:" not in ran.out
    assert f"failover plan postgres-failover {stage.cluster}" in lines
    attested = f"failover start postgres-failover {stage.cluster} --mode forced --attest --by YOU --reason WHY"
    assert lines[-1] == attested
    stage.world.members[A].alive = False
    needed = await stage.failover("plan", "postgres-failover", stage.cluster, "--mode", "forced")
    assert (needed.code, "To do it:" in needed.out) == (0, True)
    assert "digest" not in needed.out, "nobody can approve a dry run"


async def test_bare_status_says_how_to_stop_an_open_run(asking: Stage) -> None:
    await asking.waits_for_approval()

    lines = [line.strip() for line in (await asking.failover("status")).out.splitlines()]
    assert f"stop it: failover cancel {asking.cluster}" in lines
    assert f"follow it: failover follow {asking.cluster}" in lines


async def test_an_approval_says_what_comes_next(asking: Stage) -> None:
    await asking.waits_for_approval()

    ran = await asking.failover("approve", asking.cluster, "--by", "dana", "--plan", await asking.digest())
    assert f"; next it looks again, then moves {A} → {B}: failover follow {asking.cluster}" in " ".join(ran.out.split())
