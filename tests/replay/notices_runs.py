"""The runs of the workflows that tell people, whose histories are kept: in front of receivers on loopback."""

from __future__ import annotations

from tests.notices.bench import list_targets, telling, until_anew
from tests.notices.receiver import receiving
from tests.postgres.bench import Bench, Handle
from tests.replay.runs import Golden
from tests.run.cancels import cancel

_ASKS = {"approvals": {"planned": {"roles": ["DBA"], "window": "PT1M"}}}


async def _told(bench: Bench) -> Handle:
    """Tell of a run that waits and is cancelled; one target takes nothing; then begin another history."""
    async with receiving() as phone:
        list_targets(bench, {"closed": "json://127.0.0.1:1", "phone": phone}, repeat_every="PT1S", give_up_after="PT2S")
        async with telling(bench) as notices:
            run = await bench.switch()
            await phone.until("Started", "Approval needed", "Still waiting")
            await cancel(run)
            await phone.until("Cancelled")
            await notices.signal("begin_anew")
            await until_anew(notices)
        found = bench.client.get_workflow_handle("notices", run_id=notices.first_execution_run_id)
    handle: Handle = found
    return handle


async def _stopped(bench: Bench) -> Handle:
    """Stop while nothing goes on."""
    async with receiving() as phone:
        list_targets(bench, {"phone": phone})
        async with telling(bench) as notices:
            await notices.cancel()
            await bench.ending(notices)
    return notices


async def _checked(bench: Bench) -> Handle:
    async with receiving() as phone:
        list_targets(bench, {"phone": phone})
        handle = await bench.start({}, workflow="notices-check", id=f"notices-check/{bench.cluster}")
        await bench.ending(handle)
    return handle


async def _unlisted(bench: Bench) -> Handle:
    return await bench.start({}, workflow="notices-check", id=f"notices-check/{bench.cluster}")


NOTICES_RUNS = {
    "notices-told": Golden(_told, _ASKS),
    "notices-stopped": Golden(_stopped),
    "notices-checked": Golden(_checked),
    "notices-check-refused": Golden(_unlisted),
}
