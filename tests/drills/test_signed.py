"""Where approvals must be signed, so must be the judgement; both stand in the record with the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.drills.bench import drilling
from tests.run.signing_people import SIGNED, SIGNERS, complaint_of, signed_vote, signed_word


async def test_a_judgement_is_signed_like_the_approval(temporal: Client, tmp_path: Path) -> None:
    async with drilling(temporal, tmp_path, approvals=SIGNED, signers=SIGNERS) as drilled:
        handle = await drilled.start()
        status = await drilled.bench.until_phase(handle, "awaiting approval")
        await handle.execute_update("decide", signed_vote(handle.id, status))
        await drilled.bench.until_phase(handle, "awaiting a judgement", 60)

        said: dict[str, Any] = {"passed": True, "notes": "seen"}
        unsigned = await complaint_of(handle, "judge", {"by": "dana", **said})
        assert f"failover drill judge {drilled.name} --pass --notes SEEN --by dana --key FILE" in unsigned
        other = await signed_word(handle, "drill judge", signed={"of": "FAIL", "note": "seen"}, **said)
        assert "it was changed" in await complaint_of(handle, "judge", other)
        right = await signed_word(handle, "drill judge", signed={"of": "PASS", "note": "seen"}, **said)
        await handle.execute_update("judge", right)

        assert (await drilled.bench.finished(handle)).explanation.startswith("PASS; dana says PASS")
        record = drilled.details().record
        assert record is not None
        assert record.word is not None
        assert record.word.key.startswith("SHA256:")
        assert not [gap for gap in record.gaps if "proved" in gap or "proves" in gap]
