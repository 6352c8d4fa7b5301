"""Each fault that can be ordered, as the real SDK meets it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from pydantic import ValidationError

from deploy.lab.azure.faults import Fault
from tests.azure.conftest import Imagined
from tests.azure.pair import PRIMARY, PRIMARY_GROUP, REPLICA, REPLICA_GROUP
from tests.azure.sdk import aio_client, promotion

_SERVER = f"*/flexibleservers/{REPLICA}"


async def _read(imagined: Imagined, **options: Any) -> None:
    async with aio_client(imagined.emulator.url, **options) as azure:
        await azure.servers.get(REPLICA_GROUP, REPLICA)


async def _promote(imagined: Imagined, **options: Any) -> None:
    async with aio_client(imagined.emulator.url, **options) as azure:
        await (await azure.servers.begin_update(REPLICA_GROUP, REPLICA, promotion())).result()


async def test_latency(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(path=_SERVER, latency=0.3))
    begun = time.monotonic()
    await _read(imagined)
    assert time.monotonic() - begun > 0.3


async def test_only_calls_that_match_and_only_the_nth(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="get", path=_SERVER, nth=2, status=503, code="ServiceUnavailable"))
    await _read(imagined, retry_total=0)
    async with aio_client(imagined.emulator.url) as azure:
        await azure.servers.get(PRIMARY_GROUP, PRIMARY)
    with pytest.raises(HttpResponseError, match="ServiceUnavailable"):
        await _read(imagined, retry_total=0)
    await _read(imagined, retry_total=0)


async def test_429_with_retry_after_is_tried_again_by_the_sdk_even_for_a_promotion(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="PATCH", status=429, code="TooManyRequests", retry_after=0))
    await _promote(imagined)
    assert imagined.count("PATCH") == 2


async def test_429_without_retry_after_ends_a_promotion(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="PATCH", status=429, code="TooManyRequests"))
    with pytest.raises(HttpResponseError) as caught:
        await _promote(imagined)
    assert caught.value.status_code == 429
    assert (imagined.count("PATCH"), imagined.databases.done) == (1, [])


async def test_a_connection_dropped_before_the_request_was_acted_on(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="PATCH", drop="before"))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        await _promote(imagined, retry_total=0)
    await asyncio.sleep(0.1)
    assert imagined.databases.done == []
    assert (imagined.emulator.log[-1].status, imagined.emulator.log[-1].refused_by) == (0, "fault")


async def test_the_lost_answer(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="PATCH", drop="after"))
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        await _promote(imagined, retry_total=0)
    await asyncio.sleep(0.3)
    assert ("promote", REPLICA) in imagined.databases.done
    assert (imagined.emulator.log[-1].status, imagined.emulator.log[-1].refused_by) == (0, "")


@pytest.mark.parametrize("ends", ["Failed", "Canceled"])
@pytest.mark.parametrize("code", ["ServerBusy", ""])
async def test_an_operation_that_ends_otherwise(imagined: Imagined, ends: str, code: str) -> None:
    imagined.emulator.faults.order(Fault.model_validate({"method": "PATCH", "ends": ends, "code": code}))
    with pytest.raises(HttpResponseError) as caught:
        await _promote(imagined)
    assert (caught.value.status_code, caught.value.error.code if caught.value.error else "") == (200, code)
    assert imagined.databases.done == []


async def test_an_operation_that_lies(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(method="PATCH", ends="Failed", code="InternalServerError", acted=True))
    with pytest.raises(HttpResponseError):
        await _promote(imagined)
    assert ("promote", REPLICA) in imagined.databases.done


async def test_a_202_without_links_is_taken_for_the_end(imagined: Imagined) -> None:
    imagined.emulator.operations.pace = 0.01
    imagined.emulator.faults.order(Fault(method="PATCH", links=False))
    await _promote(imagined)
    assert imagined.flexible.server(REPLICA).busy


async def test_a_poll_can_be_made_to_fail(imagined: Imagined) -> None:
    imagined.emulator.faults.order(Fault(path="*/azureasyncoperation/*", status=404, code="ResourceNotFound"))
    with pytest.raises(HttpResponseError):
        await _promote(imagined)


async def test_over_http_without_token_and_without_a_trace(imagined: Imagined) -> None:
    url = f"{imagined.emulator.url}/_emulator"
    async with aiohttp.ClientSession() as session:
        assert (await session.post(f"{url}/faults", json={"status": 503, "times": 0})).status == 204
        assert (await session.post(f"{url}/faults", json={"nonsense": 1})).status == 400
        with pytest.raises(HttpResponseError):
            await _read(imagined, retry_total=0)
        assert (await session.delete(f"{url}/faults")).status == 204
        await _read(imagined)
        [refused, read] = await (await session.get(f"{url}/log")).json()
    assert (refused["status"], refused["refused_by"]) == (503, "fault")
    assert (read["status"], read["refused_by"], read["api_version"]) == (200, "", "2026-10-01")


def test_a_fault_that_does_nothing_is_none() -> None:
    with pytest.raises(ValidationError):
        Fault(path="*")
