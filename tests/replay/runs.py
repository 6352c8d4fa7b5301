"""The runs whose histories are kept: one line each in ``RUNS``, one for every way in which a run can go and end.

A new workflow or outcome is one more line; ``python -m tests.replay.record NAME`` records it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from temporalio.worker import Worker

from tests.fakes.faults import Fault
from tests.fakes.world import B
from tests.postgres.bench import Bench, Handle
from tests.postgres.gone import ISOLATING, POLICY, Gone, take_away
from tests.postgres.test_runs_that_were_ended import reset, task_of
from tests.replay.checked_runs import LISTS, checked
from tests.replay.rollbacks import POLICIES, ROLLBACKS
from tests.replay.signed_runs import signed, signed_words
from tests.run.cancels import cancel
from tests.run.signing_people import FORCED, SIGNED, SIGNERS
from tests.starters.test_doctor import examine
from workflows.doctor import Doctor

_VOTES = {"approvals": {"planned": {"roles": ["DBA"], "window": "PT5M"}}}
_EXPIRES = {"approvals": {"planned": {"roles": ["DBA"], "window": "PT0.3S"}}}
_ATTESTED: dict[str, Any] = {"forced": POLICY}
_SLOW: dict[str, Any] = {"forced": {**POLICY, "proof_within": "PT30S"}}


@dataclass(frozen=True)
class Golden:
    """How to make a run, and what to change in the estate for it."""

    run: Callable[[Bench], Awaitable[Handle]]
    estate: dict[str, Any] = field(default_factory=dict)


async def _planned(bench: Bench) -> Handle:
    return await bench.switch()


async def _held(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.survey", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await handle.execute_update("hold", {"by": "dana", "reason": "a test"})
    hanging.released.set()
    await bench.until_phase(handle, "held")
    await handle.execute_update("release", {"by": "dana"})
    return handle


async def _plan(bench: Bench) -> Handle:
    return await bench.switch(run="plan")


async def _bad_input(bench: Bench) -> Handle:
    return await bench.start("nonsense")


async def _refused(bench: Bench) -> Handle:
    bench.world.members[B].die()
    return await bench.switch()


async def _decided(bench: Bench, *, approve: bool) -> Handle:
    handle = await bench.switch()
    status = await bench.until_phase(handle, "awaiting approval")
    assert status.plan is not None
    await handle.execute_update("decide", {"by": "dana", "plan": status.plan.digest, "approve": approve, "note": "noted"})
    return handle


async def _approved(bench: Bench) -> Handle:
    return await _decided(bench, approve=True)


async def _rejected(bench: Bench) -> Handle:
    return await _decided(bench, approve=False)


async def _cancelled(bench: Bench) -> Handle:
    handle = await bench.switch()
    await bench.until_phase(handle, "awaiting approval")
    await handle.cancel()
    return handle


def _with(*faults: tuple[str, Fault], begin: Callable[[Bench], Awaitable[Handle]] = _planned) -> Golden:
    """Return a run that meets ``faults``, again and again."""

    async def run(bench: Bench) -> Handle:
        for name, fault in faults:
            bench.world.faults.order(name, fault, for_ever=True)
        return await begin(bench)

    return Golden(run)


async def _cancelled_in_the_fence(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.fence", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await handle.cancel()
    return handle


async def _cancelled_after_the_promotion(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.route", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    await cancel(handle)
    hanging.released.set()
    return handle


def _settling(step: str, fault: Fault) -> Golden:
    """Return a run that finds what another left that was terminated in ``step``."""

    async def run(bench: Bench) -> Handle:
        ordered = bench.world.faults.order(step, fault)
        handle = await bench.switch()
        await ordered.reached.wait()
        await handle.terminate("by hand")
        return await bench.switch()

    return Golden(run)


async def _reset_to_the_claim(bench: Bench) -> Handle:
    hanging = bench.world.faults.order("postgres.route", Fault.HANGS)
    handle = await bench.switch()
    await hanging.reached.wait()
    return await reset(bench.client, handle, await task_of(handle, "the claim"))


async def _proved_by_its_gate(bench: Bench) -> Handle:
    bench.world.members[bench.world.record.leader].server_frozen = True
    return await bench.switch(mode="forced")


async def _attested(bench: Bench) -> Handle:
    take_away(bench.world, Gone.DEAD)
    return await bench.force()


async def _attested_later(bench: Bench) -> Handle:
    old = take_away(bench.world, Gone.DEAD)
    handle = await bench.switch(mode="forced")
    await bench.until_phase(handle, "awaiting proof")
    await handle.execute_update("attest", {"by": "mona", "member": old.name})
    return handle


async def _cut_off(bench: Bench) -> Handle:
    take_away(bench.world, Gone.CUT_OFF)
    return await bench.switch(mode="forced")


async def _forced_plan(bench: Bench) -> Handle:
    take_away(bench.world, Gone.DEAD)
    return await bench.switch(mode="forced", run="plan")


async def _alive(bench: Bench) -> Handle:
    return await bench.switch(mode="forced")


async def _rejoined(bench: Bench, **more: Any) -> Handle:
    bench.world.members[B].streams = False
    bench.world.write(sync="none", epoch=6)
    id_ = f"plan/{bench.lock}" if more.get("run") == "plan" else bench.lock
    return await bench.start({"cluster": bench.cluster, "run": "real", **more}, workflow="postgres-rejoin", id=id_)


async def _rejoin_planned(bench: Bench) -> Handle:
    return await _rejoined(bench, run="plan")


async def examined(bench: Bench, step: Callable[..., Any] = examine, **request: Any) -> Handle:
    """Let the doctor's only step be ``step``."""
    queue = f"doctor-{uuid4().hex[:8]}"
    async with Worker(bench.client, task_queue=queue, workflows=[Doctor], activities=[step]):
        handle: Handle = await bench.client.start_workflow("doctor", request, id=queue, task_queue=queue)
        await bench.ending(handle)
    return handle


async def _paused(bench: Bench) -> Handle:
    request = {"cluster": bench.cluster, "lasts": "1h", "by": "mona", "reason": "look at it first"}
    return await bench.start(request, workflow="postgres-pause", id=f"pause/{bench.lock}")


async def _adopted(bench: Bench) -> Handle:
    bench.world.forget_gates()
    request = {"cluster": bench.cluster, "run": "real", "by": "omar", "reason": "a test"}
    return await bench.start(request, workflow="postgres-adopt", id=bench.lock)


RUNS = {
    "planned-completed": Golden(_planned),
    "planned-completed-after-quiet": Golden(_planned, {"thresholds": {"quiet": "PT0.2S"}}),
    "planned-held": Golden(_held),
    "planned-approved": Golden(_approved, _VOTES),
    "planned-approved-signed": Golden(signed, {"approvals": SIGNED, "signers": SIGNERS}),
    "planned-rejected": Golden(_rejected, _VOTES),
    "planned-expired": Golden(_planned, _EXPIRES),
    "planned-cancelled": Golden(_cancelled, _VOTES),
    "planned-cancelled-in-the-fence": Golden(_cancelled_in_the_fence),
    "planned-cancelled-after-the-promotion": Golden(_cancelled_after_the_promotion),
    "planned-plan": Golden(_plan),
    "planned-refused": Golden(_refused),
    "planned-rolled-back": _with(("postgres.fence", Fault.REFUSED)),
    "planned-rolled-back-after-the-promotion": _with(("postgres.promote", Fault.REFUSED)),
    "planned-rollback-incomplete": _with(("postgres.fence", Fault.REFUSED), ("postgres.give_back", Fault.REFUSED)),
    "planned-stranded": _with(("postgres.verify", Fault.REFUSED)),
    "planned-stranded-applications": _with(
        ("kubernetes.reconnect", Fault.REFUSED), ("postgres.await_disconnects", Fault.REFUSED)
    ),
    "planned-promotion-unheard": _with(("gates.promote", Fault.UNREPORTED)),
    "planned-reset-to-the-claim": Golden(_reset_to_the_claim),
    "settled-undone": _settling("postgres.fence", Fault.HANGS),
    "settled-finished": _settling("postgres.route", Fault.OUTLIVES),
    "forced-proved-by-gate": Golden(_proved_by_its_gate, _ATTESTED),
    "forced-attested": Golden(_attested, _ATTESTED),
    "forced-attested-later": Golden(_attested_later, _SLOW),
    "forced-signed-words": Golden(signed_words, {**_SLOW, "approvals": FORCED, "signers": SIGNERS}),
    "planned-with-checklists": Golden(checked, {"checklists": LISTS}),
    "forced-isolated": Golden(_cut_off, {"forced": ISOLATING}),
    "forced-without-proof": Golden(_cut_off, _ATTESTED),
    "forced-plan": Golden(_forced_plan, _ATTESTED),
    "forced-refused": Golden(_alive, _ATTESTED),
    "bad-input": Golden(_bad_input),
    "rejoin-completed": Golden(_rejoined),
    "rejoin-plan": Golden(_rejoin_planned),
    "doctor": Golden(examined),
    "paused": Golden(_paused),
    "adopted": Golden(_adopted),
    **{name: Golden(run, POLICIES.get(name, {})) for name, run in ROLLBACKS.items()},
}
