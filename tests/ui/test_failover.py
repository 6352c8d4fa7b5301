"""A planned failover in the Temporal UI: what is typed, what is shown, who may approve, and how it ends."""

from __future__ import annotations

import json

from playwright.async_api import expect

from tests.fakes.world import A, B
from tests.postgres.bench import Bench
from tests.ui.pages import TemporalUi

START = '{"cluster": "orders", "mode": "planned", "run": "real", "by": "mona", "reason": "kernel update 核心更新"}'


def vote(by: str, plan: str) -> str:
    return json.dumps({"by": by, "plan": plan, "approve": True})


async def test_what_was_typed_wrongly(ui: TemporalUi, asking: Bench) -> None:
    await ui.type_start("postgres/orders", "postgres-failover", '{"cluster": "orders", ')
    await expect(ui.main).to_contain_text("Input must be valid JSON")
    await expect(ui.start_button).to_be_disabled()
    await ui.picture("bad-json")
    await ui.type_input('{"cluster": "orders", "mode": "planed", "runn": "real"}')
    await ui.start()
    await ui.must_be("Failed")
    await expect(ui.main).to_contain_text("mode: input should be 'planned' or 'forced', got 'planed'")
    await ui.picture("wrong-value")
    await ui.read_details()
    await expect(ui.details).to_contain_text("runn: unknown key; known keys are cluster, mode")
    await ui.picture("wrong-value-details")
    await ui.open_list()
    await expect(ui.row("postgres/orders")).to_contain_text("Failed")
    await ui.picture("list")
    await ui.follow_start("postgres/order", "postgres-failover", START)
    await ui.start()
    await ui.must_be("Failed")
    await expect(ui.main).to_contain_text("start it again as postgres/orders")
    await ui.picture("wrong-id")
    assert not asking.flaws


async def test_from_the_form_to_its_end(ui: TemporalUi, asking: Bench) -> None:
    await ui.type_start("postgres/orders", "postgres-failover", START)
    await ui.picture("form")
    await ui.start()
    run = asking.client.get_workflow_handle("postgres/orders")
    asking.started.append(run)
    await asking.until_phase(run, "awaiting approval")
    plan = (await asking.plan(run)).digest
    await ui.picture("waits")
    await ui.read_details()
    await expect(ui.details).to_contain_text(f"plan {plan}: {A} → {B}")
    await ui.picture("details")

    await ui.open_update("decide", vote("mona", plan))
    await ui.picture("vote")
    await ui.send()
    await expect(ui.dialog).to_contain_text("by: mona requested this run and cannot decide on it; somebody else must")
    await ui.picture("vote-refused")
    await ui.close()
    await ui.open_update("decide", vote("dana", plan))
    await ui.send()
    await ui.picture("vote-counted")
    await asking.until(lambda: _votes(asking, 1))
    await ui.page.reload()
    await ui.read_details()
    await expect(ui.details).to_contain_text("approved by dana as DBA (unverified)")
    await ui.picture("one-vote")
    await ui.open_signal("vote", vote("carl", plan))
    await ui.picture("signal")
    await ui.send()

    await ui.must_be("Completed")
    await ui.tab("timeline")
    await expect(ui.main).to_contain_text(f"{B} leads orders")
    await expect(ui.main).to_contain_text("postgres.fence")
    await ui.picture("completed")
    await ui.page.mouse.move(800, 700)
    await ui.page.mouse.wheel(0, 2000)
    await ui.picture("timeline")
    await ui.read_details()
    await expect(ui.details).to_contain_text(f"completed {B} leads orders")
    await ui.picture("completed-details")
    await ui.query("status")
    await expect(ui.main).to_contain_text('"phase": "completed"')
    await ui.picture("query")
    await ui.tab("search-attributes")
    await expect(ui.main).to_contain_text('"FailoverOutcome": "completed"')
    await ui.picture("attributes")
    await ui.tab("history")
    await ui.picture("history")


async def _votes(bench: Bench, wanted: int) -> bool:
    approval = (await bench.status(bench.started[-1])).approval
    return approval is not None and len(approval.votes) == wanted


async def test_a_cancel(ui: TemporalUi, asking: Bench) -> None:
    await ui.follow_start("postgres/orders", "postgres-failover", START)
    await ui.start()
    run = asking.client.get_workflow_handle("postgres/orders")
    asking.started.append(run)
    await asking.until_phase(run, "awaiting approval")
    await ui.cancel()
    await ui.must_be("Canceled")
    await ui.picture("canceled")
    await ui.read_details()
    await expect(ui.details).to_contain_text("nothing was changed")
    await ui.picture("canceled-details")
    assert asking.world.record.leader == A
