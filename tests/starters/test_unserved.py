"""What cannot be found, and what nobody would carry out."""

from __future__ import annotations

import pytest
from temporalio.api.enums.v1 import EventType

from starters.client.answers import Exit
from starters.commands.cancel import cancel
from tests.postgres.bench import Handle
from tests.starters.command import Command
from tests.starters.conftest import Stage


@pytest.mark.parametrize("command", ["watch", "status", "report", "cancel", "approve"])
async def test_an_unknown_run_is_one_sentence(unserved: Command, command: str) -> None:
    more = ("--by", "dana", "--plan", "ab") if command == "approve" else ()

    ran = await unserved(command, "never-heard-of", *more)

    assert ran.code == 2
    assert ran.err == (
        "failover: target: no run of never-heard-of is known: none has been started, or the name is wrong;"
        " see failover history\n"
    )


async def test_an_unknown_namespace_is_one_sentence(unserved: Command) -> None:
    ran = await unserved("report", "orders", TEMPORAL_NAMESPACE="elsewhere")

    assert ran.code == 2
    assert "TEMPORAL_NAMESPACE" in ran.err


async def test_a_plan_that_nobody_would_make_is_not_started(unserved: Command) -> None:
    ran = await unserved("plan", "postgres-failover", "unserved-plan")

    assert ran.code == 4
    assert "nothing was started: no worker polls the task queue nobody-polls-this; start one" in ran.err
    assert (await unserved("status", "plan/postgres/unserved-plan")).code == 2


async def test_start_says_at_once_that_no_worker_polls(unserved: Command) -> None:
    ran = await unserved("start", "postgres-failover", "unserved")
    status = await unserved("status", "unserved")
    cancelled = await unserved("cancel", "unserved", "--output", "json")

    assert ran.code == 4
    assert "failover worker" in ran.err
    assert "failover cancel unserved" in ran.err
    assert "no worker has touched it yet" in status.out
    assert cancelled.document["cancel_asked_at"]


async def test_doctor_without_a_worker_is_a_fault(unserved: Command) -> None:
    ran = await unserved("doctor", "--output", "json")

    assert ran.code == 1
    (finding,) = ran.document["findings"]
    assert finding["severity"] == "fault"
    assert "failover worker" in finding["remedy"]


async def test_a_run_that_no_worker_can_carry_out_says_why(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status says what the workers fail at, and a cancel that stops nothing does not claim to."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", stage.failover.address)
    monkeypatch.setenv("FAILOVER_TASK_QUEUE", stage.failover.queue)
    monkeypatch.setattr("starters.commands.cancel._END_WITHIN_SECONDS", 0.5)
    handle = await stage.bench.start({}, workflow="postgres-failovr")
    await stage.bench.until(lambda: _failed_at(handle))

    status = await stage.failover("status", stage.cluster)
    cancelled = await cancel(stage.cluster)

    assert "postgres-failovr is not registered" in status.out
    assert "no worker has picked the run up" not in status.out
    assert cancelled.code is Exit.FAILED
    assert "has not stopped yet" in str(cancelled.text)
    assert "postgres-failovr is not registered" in str(cancelled.text)


async def _failed_at(handle: Handle) -> bool:
    events = [event.event_type async for event in handle.fetch_history_events()]
    return EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in events
