"""A planned failover in the Temporal UI: what is typed, what is shown, who may approve, and how it ends."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from tests.fakes.world import A, B
from tests.postgres.bench import Bench
from tests.ui import document
from tests.ui.pages import TemporalUi
from workflows.run.models import Status


async def _waits(bench: Bench) -> str:
    """Wait until the run asks for approvals; return the plan's digest."""
    run: Any = bench.client.get_workflow_handle("postgres/orders")
    bench.started.append(run)
    await bench.until_phase(run, "awaiting approval")
    return (await bench.plan(run)).digest


async def _status(bench: Bench) -> Status:
    return await bench.status(bench.started[-1])


async def test_what_was_typed_wrongly(ui: TemporalUi, asking: Bench) -> None:
    await ui.type_start("postgres/order", "postgres-failover", document.START.replace("}", ""))
    await expect(ui.main).to_contain_text("Input must be valid JSON")
    await expect(ui.start_button).to_be_disabled()
    await ui.picture("bad-json")
    await ui.type_input(document.START)
    await ui.start()
    await ui.must_be("Failed")
    await expect(ui.main).to_contain_text("start it again as postgres/orders")
    await ui.picture("wrong-id")
    await ui.follow_start("postgres/orders", "postgres-failover", '{"mode": "planed", "runn": "real"}')
    await ui.start()
    await ui.must_be("Failed")
    await ui.read_details("mode: input should be")
    await expect(ui.details).to_contain_text('cluster: missing; give it, for example {"cluster": …}')
    await expect(ui.details).to_contain_text("runn: unknown key; known keys are cluster, mode")
    await ui.picture("wrong-keys")
    await ui.go_to_list()
    await expect(ui.row("postgres/orders")).to_contain_text("Failed")
    await ui.picture("list")
    assert not asking.flaws


async def test_from_the_form_to_its_end(ui: TemporalUi, asking: Bench) -> None:
    await ui.type_start("postgres/orders", "postgres-failover", document.START)
    await ui.picture("form")
    await ui.start()
    plan = await _waits(asking)
    await ui.read_details(f"plan {plan}: {A} → {B}")
    await expect(ui.details).to_contain_text("waits for 2 of DBA (dana), CTO (carl) until 20")
    pasted = document.UPDATE.replace("dana", "NAME").replace("DIGEST", plan)
    await expect(ui.details).to_contain_text(pasted)
    await ui.picture("details")
    await _votes(ui, asking, plan)
    await ui.must_be("Completed")
    await _has_ended(ui)


async def _votes(ui: TemporalUi, asking: Bench, plan: str) -> None:
    """Vote wrongly, then as the DBA by update and as the CTO by signal."""
    pasted = document.UPDATE.replace("DIGEST", plan)
    await ui.open_update("decide", pasted.replace("dana", "mona"))
    await ui.send()
    await expect(ui.dialog).to_contain_text("by: mona requested this run and cannot decide on it; somebody else must")
    await ui.picture("vote-refused")
    approval = (await _status(asking)).approval
    assert approval is not None
    assert not approval.votes
    await ui.type_in_dialog(pasted)
    await ui.send()
    await expect(ui.dialog).to_have_count(0)
    await ui.read_details("approved by dana as DBA (unverified)")
    await expect(ui.details).to_contain_text("waits for 1 of CTO (carl)")
    await ui.picture("one-vote")
    await ui.open_signal("vote", document.SIGNAL.replace("DIGEST", plan))
    await ui.picture("signal")
    await ui.send()


async def _has_ended(ui: TemporalUi) -> None:
    """Read what is shown of a run that has completed."""
    await ui.read_details(f"completed {B} leads orders")
    await ui.picture("completed-details")
    await ui.query("status")
    await expect(ui.main).to_contain_text('"phase": "completed"')
    await ui.picture("query")
    await ui.tab("search-attributes")
    await expect(ui.main).to_contain_text('"FailoverOutcome": "completed"')
    await ui.tab("timeline")
    await expect(ui.main).to_contain_text(f'"leader": "{B}"')
    for told in (f"postgres.fence • fence {A}", f"postgres.promote • promote {B}", "approval window"):
        await expect(ui.main).to_contain_text(told)
    await ui.picture("timeline")


async def test_a_cancel(ui: TemporalUi, asking: Bench) -> None:
    await ui.follow_start("postgres/orders", "postgres-failover", document.START)
    await ui.start()
    await _waits(asking)
    await ui.cancel()
    await ui.must_be("Canceled")
    await ui.read_details("cancelled nothing was changed")
    await ui.picture("canceled")
    assert asking.world.record.leader == A
