"""A run of ``gateway-failover``: what is changed, what is left, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from activities.run.models.report import Outcome
from activities.traffic.gateway_models import GatewayPlan
from tests.fakes.faults import Fault
from tests.gateways.bench import GatewayBench
from tests.gateways.world import ADDRESSES, DECLARED, A, B, C


async def test_an_unhealthy_backend_goes_and_comes_back(bench: GatewayBench) -> None:
    world, before = bench.world, bench.world.shown()
    world.hosts.status[B] = 503
    await world.until_told(B, "Down")
    end, told = await bench.run()
    assert (end, world.pool(), world.puts()) == ("completed", [A, C], [200]), told
    report, details = bench.report(), bench.details()
    assert report.outcome is Outcome.COMPLETED
    assert isinstance(report.plan, GatewayPlan)
    assert (report.plan.take_out, report.plan.goal) == ((B,), (A, C))
    assert details.healthy
    assert details.changes_asked == 1
    assert details.recovery_seconds is not None
    assert details.routed is not None
    assert details.routed.up == (A, C)
    print(f"from the decision to a healthy gateway: {details.recovery_seconds:.3f} s")

    end, told = await bench.run()
    assert (end, world.puts()) == ("completed", [200]), "it answers nobody yet"
    assert "nothing was to be done" in told

    del world.hosts.status[B]
    end, told = await bench.run()
    assert (end, world.pool(), world.puts()) == ("completed", [A, C, B], [200, 200]), told
    assert bench.details().routed is not None
    after = world.shown()
    pool = after["backendAddressPools"][0]["properties"]["backendAddresses"]
    pool.sort(key=lambda one: one["ipAddress"])
    assert after == before


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (None, "probe api-health-probe: none → /health/ready every 30 s"),
        ({**DECLARED, "path": "/healthz"}, "probe api-health-probe: path /healthz → /health/ready"),
        ({**DECLARED, "interval": 31, "minServers": 0}, "probe api-health-probe: interval 31 → 30"),
        ({**DECLARED, "match": {"statusCodes": ["200-399"], "body": "ok"}}, "probe api-health-probe: match 200-399 → 200"),
    ],
)
async def test_a_probe_that_is_not_as_declared_is_mended(bench: GatewayBench, probe: Any, words: str) -> None:
    bench.world.lay_out(probe=probe)
    end, told = await bench.run()
    assert (end, bench.world.puts()) == ("completed", [200]), told
    assert words in told
    fact = await bench.gateways.gateway(bench.target)
    assert fact.basis.probe is not None
    found = fact.basis.probe
    assert {**found, "match": {"statusCodes": found["match"]["statusCodes"]}} == {**(probe or {}), **DECLARED}  # type: ignore[index,call-overload]
    assert fact.basis.settings_probe.endswith("/probes/api-health-probe")
    assert set((await bench.world.health()).values()) == {"Up"}


async def test_the_last_healthy_backend_is_never_taken_out(bench: GatewayBench) -> None:
    for one in ADDRESSES:
        bench.world.hosts.status[one] = 503
        await bench.world.until_told(one, "Down")
    end, told = await bench.run()
    assert (end, bench.world.puts()) == ("NotTheBackends", []), told
    assert all(one in told for one in ADDRESSES)


async def test_what_a_wrong_probe_says_takes_nobody_out(bench: GatewayBench) -> None:
    bench.world.lay_out(probe={**DECLARED, "path": "/wrong"})
    for one in ADDRESSES:
        await bench.world.until_told(one, "Down")
    end, told = await bench.run()
    assert (end, bench.world.pool(), bench.world.puts()) == ("completed", list(ADDRESSES), [200]), told
    assert set((await bench.world.health()).values()) == {"Up"}


async def test_a_plan_touches_nothing(bench: GatewayBench) -> None:
    bench.world.lay_out(probe=None)
    bench.world.hosts.status[B] = 503
    before = bench.world.shown()
    await bench.world.until_told(B, "Down")
    bench.world.emulator.log.clear()
    end, told = await bench.run(run="plan")
    assert (end, "in → out" in told) == ("completed", True), told
    asked = {(one.method, one.path.rpartition("/")[2]) for one in bench.world.emulator.log if "operation" not in one.path}
    assert asked == {("GET", "aiagent-appgw"), ("POST", "backendhealth")}
    assert bench.world.shown() == before


async def test_only_the_backend_that_is_named(bench: GatewayBench) -> None:
    for one in (B, C):
        bench.world.hosts.status[one] = 503
        await bench.world.until_told(one, "Down")
    end, told = await bench.run(backend=C)
    assert (end, bench.world.pool()) == ("completed", [A, B]), told
    end, told = await bench.run(backend="10.0.0.1")
    assert (end, "there is" in told) == ("BadInput", True)


async def test_nothing_is_to_be_done(bench: GatewayBench) -> None:
    end, told = await bench.run()
    assert (end, bench.world.puts()) == ("completed", []), told


async def test_a_proof_that_is_skipped_leaves_the_change_and_is_listed(bench: GatewayBench) -> None:
    world = bench.world
    world.hosts.status[B] = 503
    await world.until_told(B, "Down")
    hanging = bench.faults.order("gateway.await_health", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.execute_update("skip", {"by": "dana", "reason": "no time", "step": "proof"})
    end, told = await bench.ending(handle)
    assert (end, world.pool()) == ("completed", [A, C]), told
    assert told.endswith("; proof skipped by dana: no time")
    assert [str(one) for one in bench.report().left_to_do] == [
        f"see that {bench.report().cluster} calls {A}, {C} Up (skipped by dana: no time)"
    ]
    assert not bench.details().healthy
