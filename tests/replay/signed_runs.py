"""Runs in which only signed votes and words count."""

from __future__ import annotations

from tests.postgres.bench import Bench, Handle
from tests.run.signing_people import signed_vote, signed_word


async def signed(bench: Bench) -> Handle:
    handle = await bench.switch()
    status = await bench.until_phase(handle, "awaiting approval")
    await handle.execute_update("decide", signed_vote(handle.id, status))
    return handle


async def signed_words(bench: Bench) -> Handle:
    """Begin a run that a person holds and releases, and whose announced word is signed."""
    handle = await bench.force()
    status = await bench.until_phase(handle, "awaiting approval")
    await handle.execute_update("hold", await signed_word(handle, "hold", reason="look first"))
    await handle.execute_update("decide", signed_vote(handle.id, status))
    await handle.signal("attested", {"by": "mona", "member": bench.world.record.leader})
    word = await signed_word(handle, "attest", by="mona", member=bench.world.record.leader)
    await handle.execute_update("attest", word)
    await bench.until_phase(handle, "held")
    await handle.execute_update("release", await signed_word(handle, "release", by="omar"))
    return handle
