"""Payloads that nobody can decode: every workflow fails at once, and a run that is under way goes on."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.fakes.world import B
from tests.postgres.bench import Bench
from workflows.catalog import workflows

_NAMES = [vars(kind)["__temporal_workflow_definition"].name for kind in workflows()]

_FIRST_KEY = {
    "redis-failover": "master",
    "pod-failover": "workload",
    "node-failover": "node",
    "node-return": "target",
    "postgres-region-failover": "database",
    "dns-failover": "traffic",
    "gateway-failover": "gateway",
    "region-failover": "region",
    "region-failback": "region",
    "region-fence": "region",
    "region-recovery": "region",
    "failover-drill": "drill",
    "drill-due": "drill",
    "drills-stop": "by",
    "drills-calendar": "drill",
}
_FIRST_KEY |= {f"{kind}-watch": "target" for kind in ("postgres", "redis", "node", "pod", "gateway", "region")}
_FIRST_KEY["watchers-start"] = "target"
_FIRST_KEY["failover-readiness"] = "state"
_FIRST_KEY |= {"notices-check": "target", "notices": "state"}


def _raw(encoding: str, data: bytes) -> RawValue:
    return RawValue(Payload(metadata={"encoding": encoding.encode()}, data=data))


_PAYLOADS = {
    "no JSON": (_raw("json/plain", b"not json {"), "got something that is no JSON ("),
    "nothing": (_raw("json/plain", b""), "got something that is no JSON ("),
    "no UTF-8": (_raw("json/plain", b"\xff\xfe"), "got something that is no JSON ("),
    "nested": (_raw("json/plain", b"[" * 3000), "got something that is no JSON ("),
    "bytes": (_raw("binary/plain", b"\x00\x01"), "got a bytes"),
    "protobuf": (_raw("json/protobuf", b"junk"), "got a payload with the encoding 'json/protobuf'"),
    "unknown": (_raw("a\nb", b"{}"), r"got a payload with the encoding 'a\nb'"),
    "no encoding": (RawValue(Payload(data=b"{}")), "got a payload with the encoding ''"),
}


@pytest.mark.parametrize("kind", _PAYLOADS)
@pytest.mark.parametrize("workflow", _NAMES)
async def test_a_run_fails_at_once_with_a_sentence(bench: Bench, workflow: str, kind: str) -> None:
    payload, words = _PAYLOADS[kind]
    before = bench.world.snapshot
    async with asyncio.timeout(20):
        refusal = await bench.refused(await bench.start(payload, workflow=workflow))
    assert refusal.type == "BadInput"
    first = _FIRST_KEY.get(workflow, "cluster")
    assert refusal.message.startswith(f"input: expected one JSON object with the keys {first}")
    assert words in refusal.message
    assert bench.world.snapshot == before


@pytest.mark.parametrize("kind", _PAYLOADS)
async def test_a_signal_and_an_update_leave_the_run_going(asking: Bench, kind: str) -> None:
    payload, words = _PAYLOADS[kind]
    handle = await asking.switch()
    status = await asking.until_phase(handle, "awaiting approval")
    for signal in ("vote", "attested", "no-such-signal"):
        await handle.signal(signal, payload)
    for update in ("decide", "attest"):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(update, payload)
        assert words in str(refused.value.cause)
    assert status.plan is not None
    await handle.signal("vote", {"by": "dana", "plan": status.plan.digest, "approve": True})
    assert (await asking.finished(handle)).leader == B
