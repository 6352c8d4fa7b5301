"""Whatever Azure answers, or does not: no PUT twice, a true word at the end, and everything put back where it failed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from deploy.lab.azure.faults import Fault as Azure
from deploy.lab.patience import stretched
from tests.fakes.faults import Fault
from tests.gateways.bench import LOCK, GatewayBench, serving
from tests.gateways.world import DECLARED, POOL, A, B, C, GatewayWorld
from tests.run.cancels import cancel

_PUT: dict[str, Any] = {"method": "PUT", "path": "*/applicationGateways/*"}
_READ: dict[str, Any] = {"method": "GET", "path": "*/applicationGateways/*"}
_POLL: dict[str, Any] = {"method": "GET", "path": "*/locations/*/operations/*"}
_HEALTH: dict[str, Any] = {"method": "POST", "path": "*/backendhealth"}
_RESULT: dict[str, Any] = {"method": "GET", "path": "*/operationResults/*"}


async def _ill(bench: GatewayBench) -> None:
    """Have B unhealthy, and the gateway know it."""
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    bench.world.emulator.log.clear()


@pytest.mark.parametrize(
    "fault",
    [
        Azure(**_PUT, drop="after"),
        Azure(**_PUT, drop="before"),
        Azure(**_PUT, status=429, code="RetryableError"),
        Azure(**_PUT, status=429, retry_after=1, code="TooManyRequests"),
        Azure(**_PUT, status=409, code="AnotherOperationInProgress"),
        Azure(**_PUT, status=412, code="PreconditionFailed"),
        Azure(**_PUT, status=500, code="InternalServerError"),
        Azure(**_PUT, status=503, code="ServiceUnavailable", times=2),
        Azure(**_PUT, links=False),
        Azure(**_READ, status=503, code="ServiceUnavailable", times=2),
        Azure(**_READ, drop="before", nth=2),
        Azure(**_POLL, status=503, code="ServiceUnavailable", times=3),
        Azure(**_POLL, status=404, code="ResourceNotFound", times=0),
        Azure(**_POLL, drop="before", times=2),
        Azure(**_HEALTH, status=429, code="TooManyRequests"),
        Azure(**_HEALTH, nth=2, status=500, code="InternalServerError"),
        Azure(**_HEALTH, ends="Failed", code="InternalServerError", nth=2),
        Azure(**_RESULT, drop="before"),
    ],
    ids=lambda one: (
        f"{one.method}-{one.path.rpartition('/')[2]}-{one.status or one.drop or one.ends or 'no-links'}-{one.nth}"
    ),
)
async def test_a_fault_of_azure_costs_time_and_no_second_put(bench: GatewayBench, fault: Azure) -> None:
    await _ill(bench)
    bench.world.emulator.faults.order(fault)
    end, told = await bench.run()
    assert (end, bench.world.pool(), len(bench.world.puts())) == ("completed", [A, C], 1), told
    struck = [one for one in bench.world.emulator.log if one.refused_by == "fault" or one.status == 0]
    assert struck or not fault.links or fault.ends


@pytest.mark.parametrize("ends", ["Failed", "Canceled"])
async def test_a_change_that_fails_is_put_back(bench: GatewayBench, ends: Any) -> None:
    bench.world.lay_out(probe={**DECLARED, "path": "/healthz"})
    before = bench.world.shown()
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    bench.world.emulator.faults.order(Azure(**_PUT, ends=ends, code="InternalServerError"))
    end, told = await bench.run()
    assert (end, len(bench.world.puts())) == ("RolledBack", 2), told
    assert "InternalServerError" in told
    assert bench.world.shown() == before
    assert bench.world.pool() == [A, B, C]
    assert bench.details().changes_asked == 2


@pytest.mark.parametrize(("status", "code"), [(403, "AuthorizationFailed"), (400, "InvalidResourceReference")])
async def test_a_no_of_azure_ends_the_run_with_nothing_changed(bench: GatewayBench, status: int, code: str) -> None:
    await _ill(bench)
    before = bench.world.shown()
    bench.world.emulator.faults.order(Azure(**_PUT, status=status, code=code))
    end, told = await bench.run()
    assert (end, bench.world.puts(), bench.world.shown()) == ("ChangeRefused", [], before), told
    assert code in told


async def test_a_no_after_a_lost_answer_is_undone(bench: GatewayBench) -> None:
    """The second attempt is forbidden to look; the first one was heard."""
    await _ill(bench)
    before = bench.world.shown()
    bench.world.emulator.faults.order(Azure(**_PUT, drop="after"))
    bench.world.emulator.faults.order(Azure(**_READ, nth=3, status=403, code="AuthorizationFailed"))
    end, told = await bench.run()
    assert (end, bench.world.puts(), bench.world.shown()) == ("RolledBack", [0, 200], before), told


@pytest.mark.parametrize("lost", ["gateway.survey", "gateway.change", "gateway.await_change", "gateway.await_health"])
async def test_an_answer_that_never_reaches_temporal(bench: GatewayBench, lost: str) -> None:
    await _ill(bench)
    bench.faults.order(lost, Fault.UNREPORTED)
    end, told = await bench.run()
    assert (end, bench.world.pool(), bench.world.puts()) == ("completed", [A, C], [200]), told


async def test_a_cancel_before_the_change_changes_nothing(bench: GatewayBench) -> None:
    await _ill(bench)
    held = bench.faults.order("gateway.survey", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    await handle.cancel()
    assert ((await bench.ending(handle))[0], bench.world.puts()) == ("cancelled", [])


@pytest.mark.parametrize("where", ["gateway.change", "gateway.await_change", "gateway.await_health"])
async def test_a_cancel_before_the_end_puts_everything_back(bench: GatewayBench, where: str) -> None:
    bench.world.lay_out(probe={**DECLARED, "path": "/healthz"})
    before = bench.world.shown()
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    held = bench.faults.order(where, Fault.OUTLIVES)
    handle = await bench.start()
    await held.reached.wait()
    await cancel(handle)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, bench.world.shown(), bench.world.puts()) == ("cancelled", before, [200, 200]), told
    assert bench.report().undone == ("aiagent-appgw is as it was",)


async def test_a_backend_that_is_ill_again_after_it_was_put_back_goes_again(
    temporal: Client, gateway: GatewayWorld, tmp_path: Path
) -> None:
    gateway.lay_out(backends=(A, C))
    before = gateway.shown()
    async with serving(temporal, gateway, tmp_path, thresholds={"healthy_within": "PT1S"}) as bench:
        held = bench.faults.order("gateway.change", Fault.HANGS)
        handle = await bench.start()
        await held.reached.wait()
        gateway.hosts.status[B] = 503
        bench.faults.release()
        end, told = await bench.ending(handle)
    assert (end, gateway.shown(), gateway.puts()) == ("RolledBack", before, [200, 200]), told
    assert f"{B} is Down" in told


async def test_another_ones_change_between_look_and_put_is_kept(bench: GatewayBench) -> None:
    """Somebody takes C out while this run is about to take B out: the decision is made again."""
    await _ill(bench)
    held = bench.faults.order("gateway.change", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    _pool(bench.world)[:] = [one for one in _pool(bench.world) if one["ipAddress"] != C]
    bench.world.hosts.status[C] = 503
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, [one["ipAddress"] for one in _pool(bench.world)], bench.world.puts()) == ("completed", [A], [200]), told


async def test_another_ones_change_that_makes_the_decision_wrong_ends_it(
    temporal: Client, gateway: GatewayWorld, tmp_path: Path
) -> None:
    async with serving(temporal, gateway, tmp_path, least=2) as bench:
        await _ill(bench)
        held = bench.faults.order("gateway.change", Fault.HANGS)
        handle = await bench.start()
        await held.reached.wait()
        _pool(gateway)[:] = [one for one in _pool(gateway) if one["ipAddress"] != C]
        gateway.hosts.status[C] = 503
        bench.faults.release()
        end, told = await bench.ending(handle)
    assert (end, gateway.puts()) == ("TooFewBackends", []), told


async def test_the_undo_leaves_what_another_has_done_since_and_names_it(bench: GatewayBench) -> None:
    bench.world.lay_out(probe={**DECLARED, "path": "/healthz"})
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    held = bench.faults.order("gateway.await_change", Fault.OUTLIVES)
    handle = await bench.start()
    await held.reached.wait()
    bench.world.gateway.properties["probes"][0]["properties"]["path"] = "/theirs"
    await cancel(handle)
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert end == "RollbackIncomplete", told
    assert "probe api-health-probe path is /theirs now" in told
    assert "put back" in told
    assert bench.world.gateway.properties["probes"][0]["properties"]["path"] == "/theirs"
    assert [one["ipAddress"] for one in _pool(bench.world)] == [A, B, C]


async def test_the_same_change_of_another_is_not_undone(bench: GatewayBench) -> None:
    """Azure is busy; meanwhile somebody takes B out, and the run is cancelled before it has decided again."""
    await _ill(bench)
    bench.world.emulator.faults.order(Azure(**_PUT, status=429, retry_after=3, code="TooManyRequests"))
    handle = await bench.start()
    async with asyncio.timeout(stretched(20)):
        while not any(one.method == "PUT" for one in bench.world.emulator.log):
            await asyncio.sleep(0.005)
    surveyed = bench.faults.order("gateway.survey", Fault.HANGS)
    _pool(bench.world)[:] = [one for one in _pool(bench.world) if one["ipAddress"] != B]
    async with asyncio.timeout(stretched(20)):
        await surveyed.reached.wait()
    await handle.cancel()
    end, told = await bench.ending(handle)
    assert (end, bench.world.puts(), [one["ipAddress"] for one in _pool(bench.world)]) == ("cancelled", [], [A, C]), told


async def test_a_superseded_change_is_decided_on_again(bench: GatewayBench) -> None:
    await _ill(bench)
    bench.world.emulator.faults.order(
        Azure(**_PUT, ends="Canceled", code="CanceledAndSupersededDueToAnotherOperation", times=1)
    )
    held = bench.faults.order("gateway.await_change", Fault.HANGS)
    handle = await bench.start()
    await held.reached.wait()
    _pool(bench.world).insert(1, {"ipAddress": B})
    bench.faults.release()
    end, told = await bench.ending(handle)
    assert (end, bench.world.pool(), bench.world.puts()) == ("completed", [A, C], [200, 200]), told


async def test_a_gateway_that_is_busy_all_the_time_is_left(temporal: Client, gateway: GatewayWorld, tmp_path: Path) -> None:
    async with serving(temporal, gateway, tmp_path, thresholds={"changed_within": "PT3S"}) as bench:
        await _ill(bench)
        gateway.emulator.faults.order(Azure(**_PUT, status=429, code="RetryableError", times=0))
        end, told = await bench.run()
    assert (end, gateway.puts(), gateway.pool()) == ("Busy", [], [A, B, C]), told


async def test_a_change_that_does_not_end_in_time_is_put_back(
    temporal: Client, gateway: GatewayWorld, tmp_path: Path
) -> None:
    """The undo is refused while the change goes on, and asked for again."""
    before = gateway.shown()
    async with serving(temporal, gateway, tmp_path, thresholds={"changed_within": "PT1S"}) as bench:
        await _ill(bench)
        held = bench.faults.order("gateway.change", Fault.HANGS)
        handle = await bench.start()
        await held.reached.wait()
        gateway.emulator.operations.pace = 0.08
        bench.faults.release()
        async with asyncio.timeout(stretched(30)):
            while 429 not in [one.status for one in gateway.emulator.log if one.method == "PUT"]:
                await asyncio.sleep(0.01)
        gateway.emulator.operations.pace = 0.001
        end, told = await bench.ending(handle)
    assert (end, gateway.shown(), gateway.puts()) == ("RolledBack", before, [200, 200]), told


async def test_two_operators_at_once(bench: GatewayBench) -> None:
    await _ill(bench)
    held = bench.faults.order("gateway.survey", Fault.HANGS)
    first = await bench.start()
    await held.reached.wait()
    with pytest.raises(Exception, match="already started"):
        await bench.start(by="dana")
    wrong = await bench.client.start_workflow(
        "gateway-failover", {"gateway": "aiagent-appgw", "run": "real", "by": "dana"}, id=f"{LOCK}-2", task_queue=bench.queue
    )
    assert (await bench.ending(wrong))[0] == "WrongWorkflowId"
    bench.faults.release()
    assert ((await bench.ending(first))[0], bench.world.puts()) == ("completed", [200])


async def test_people_are_asked_where_the_estate_says_so(temporal: Client, gateway: GatewayWorld, tmp_path: Path) -> None:
    policy = {"failover": {"roles": ["DBA"], "window": "PT1M"}}
    async with serving(temporal, gateway, tmp_path, approvals=policy) as bench:
        await _ill(bench)
        handle = await bench.start()
        plan = (await bench.until_phase(handle, "awaiting approval")).plan
        assert plan is not None
        del gateway.hosts.status[B]
        async with asyncio.timeout(stretched(20)):
            while (await gateway.health())[B] != "Up":
                await asyncio.sleep(0.01)
        await handle.execute_update("decide", {"by": "dana", "plan": plan.digest, "approve": True})
        end, told = await bench.ending(handle)
    assert (end, gateway.puts()) == ("PlanChanged", []), told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gateway": "none"}, "gateway: the estate does not list 'none'; it lists aiagent-appgw"),
        ({"by": "eve"}, "nobody is called eve"),
        ({"mode": "forced"}, "mode: unknown key"),
        ({"backend": ""}, "backend: string should have at least 1 character"),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(bench: GatewayBench, given: dict[str, Any], words: str) -> None:
    handle = await bench.client.start_workflow(
        "gateway-failover", {"gateway": "aiagent-appgw", "run": "real", "by": "omar", **given},
        id="gateway/none" if "gateway" in given else LOCK, task_queue=bench.queue,
    )  # fmt: skip
    end, told = await bench.ending(handle)
    assert (end, words in told, bench.world.puts()) == ("BadInput", True, []), told


def _pool(world: GatewayWorld) -> list[Any]:
    """Return the pool as it is shown; a change of it is somebody else's."""
    pools = world.gateway.properties["backendAddressPools"]
    entries: list[Any] = next(one for one in pools if one["name"] == POOL)["properties"]["backendAddresses"]
    return entries
