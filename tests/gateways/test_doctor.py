"""What doctor says of a gateway, and what the report shows of it."""

from __future__ import annotations

import asyncio

import pytest
from rich.console import Console

from activities.clients.backend_http import BackendHttp
from activities.run.models.doctor import Finding, Severity
from activities.traffic.gateway_doctor import GatewayDoctor
from deploy.lab.azure.faults import Fault as Azure
from starters.render.gateway import gateway_lines, gateway_tables
from tests.gateways.bench import GatewayBench
from tests.gateways.world import ADDRESSES, DECLARED, A, B, C


async def _found(bench: GatewayBench) -> list[Finding]:
    return await GatewayDoctor(bench.gateways, BackendHttp()).at(bench.target)


def _faults(found: list[Finding]) -> str:
    return "; ".join(f"{one.subject}: {one.message}" for one in found if one.severity is Severity.FAULT)


async def test_a_gateway_as_declared_has_no_fault(bench: GatewayBench) -> None:
    assert [one.severity for one in await _found(bench)] == [Severity.OK] * 6
    assert bench.world.puts() == []


async def test_doctor_names_each_fault(bench: GatewayBench) -> None:
    bench.world.lay_out(probe={**DECLARED, "timeout": 7}, backends=(A, B, "127.0.83.99"))
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    found = await _found(bench)
    assert "probe api-health-probe: timeout 7 → 30" in _faults(found)
    assert f"{B}: {B}: the gateway says Down" in _faults(found)
    told = "; ".join(one.message for one in found if one.severity is Severity.WARNING)
    assert f"out of pool api-pool: {C}" in told
    assert "not declared: 127.0.83.99" in told


async def test_no_backend_at_all_is_an_outage(bench: GatewayBench) -> None:
    for one in ADDRESSES:
        bench.world.hosts.status[one] = 503
        await bench.world.until_told(one, "Down")
    assert [one.message for one in await _found(bench) if one.outage] == ["EVERY BACKEND IS UNHEALTHY: nobody is served"]


@pytest.mark.parametrize(("path", "right"), [("*/aiagent-appgw", "read"), ("*/backendhealth", "backendhealth/action")])
async def test_a_right_that_is_missing_is_named(bench: GatewayBench, path: str, right: str) -> None:
    bench.world.emulator.faults.order(Azure(path=path, status=403, code="AuthorizationFailed", times=0))
    assert f"grant the worker Microsoft.Network/applicationGateways/{right}" in _faults(await _found(bench))


async def test_the_report_shows_what_was_seen_and_done(bench: GatewayBench) -> None:
    bench.world.hosts.status[B] = 503
    await bench.world.until_told(B, "Down")
    async with asyncio.timeout(60):
        await bench.run()
    details = bench.details()
    console = Console(width=160, record=True)
    assert details.survey is not None
    for table in gateway_tables(details.survey):
        console.print(table)
    shown = console.export_text()
    assert "api-health-probe" in shown
    assert "503" in shown
    said = "\n".join(gateway_lines(details))
    assert "Azure has accepted 1 change\n" in said
    assert f"healthy: {A}, {C}" in said
