"""The keys of the demonstration: what it signs counts where only signed votes do."""

from __future__ import annotations

from pathlib import Path

import yaml
from temporalio.client import Client

from deploy.lab.signing import Signers
from deploy.lab.switching import approve
from tests.fakes.world import A, B, World
from tests.postgres.bench import serving
from tests.postgres.gone import POLICY


async def test_the_demonstrations_approvals_are_signed_also_a_forced_one(temporal: Client, tmp_path: Path) -> None:
    asks = {"roles": ["DBA"], "window": "PT1M"}
    approvals = {"planned": asks, "forced": asks}
    async with serving(temporal, tmp_path, World(), approvals=approvals, forced=POLICY) as bench:
        signers, estate = Signers(), yaml.safe_load(bench.estate.read_text(encoding="utf-8"))
        signers.only(estate)
        bench.estate.write_text(yaml.safe_dump(estate), encoding="utf-8")
        for forced, leader in ((False, B), (True, A)):
            await bench.until_consistent()
            handle = await (bench.force() if forced else bench.switch())
            status = await approve(handle, attest=forced, signers=signers)
            assert status.approval is not None
            assert [(vote.by, vote.verified) for vote in status.approval.votes] == [("dana", True)]
            assert (await bench.finished(handle)).leader == leader
        await bench.until_consistent()
