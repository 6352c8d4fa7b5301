"""A leader renews the record's Lease, and the API server's word counts for it only once it has."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

from deploy.lab.processes import start_time
from gate.api import Role
from gate.record import Mode
from tests.gate.harness import TOKEN, Cluster


def _spec(pair: Cluster) -> dict[str, Any]:
    return dict((pair.api.lease or {}).get("spec", {}))


async def test_a_leader_renews_it_again_and_again_and_a_standby_does_not(pair: Cluster) -> None:
    first = pair.api.lease_version
    await pair.until(lambda: pair.api.lease_version != first, 5)
    second = pair.api.lease_version
    await pair.until(lambda: pair.api.lease_version != second, 5)
    assert (_spec(pair)["holderIdentity"], _spec(pair)["leaseTransitions"]) == ("pg-0", pair.record.epoch)
    pair.freeze("pg-0")
    await asyncio.sleep(0.2)
    still = pair.api.lease_version
    await asyncio.sleep(2.5)
    assert pair.api.lease_version == still
    pair.freeze("pg-0", signal.SIGCONT)


async def test_peers_say_when_a_leader_asked_them_last(pair: Cluster) -> None:
    await asyncio.sleep(1.5)
    status = await pair.status("pg-1")
    assert status is not None
    assert status.asked["pg-0"] < 3
    pair.freeze("pg-0")
    await asyncio.sleep(3)
    status = await pair.status("pg-1")
    assert status is not None
    assert status.asked["pg-0"] > 2.5
    pair.freeze("pg-0", signal.SIGCONT)


async def test_a_lease_of_a_later_epoch_is_left_alone_and_its_reader_is_not_vouched_for(pair: Cluster) -> None:
    """Somebody has seized it: without a peer the leader is killed when its lease has run out."""
    await pair.isolated_soon(3)
    await pair.until_synchronous("pg-1")
    seized = {"holderIdentity": "pg-1", "leaseTransitions": pair.record.epoch + 1}
    pair.api.write_lease({"metadata": {}, "spec": seized})
    pair.kill("pg-1")
    await pair.until(lambda: pair.said("pg-0", "ISOLATED"), 10)
    assert _spec(pair)["holderIdentity"] == "pg-1"


async def test_where_it_cannot_be_written_a_peer_is_enough(pair: Cluster) -> None:
    await pair.isolated_soon(3)
    await pair.until_synchronous("pg-1")
    pair.api.lease_forbidden = True
    await asyncio.sleep(5)
    status = await pair.status("pg-0")
    assert status is not None
    assert status.role is Role.PRIMARY
    assert pair.said("pg-0", "the Lease is not renewed")


async def _moved(pair: Cluster, old: str, new: str) -> None:
    epoch = pair.claim(new, Mode.FORCED)
    await pair.fence(old, epoch, clean=False)
    await pair.promote(new, epoch)
    pair.route(new)
    await pair.until(lambda: _spec(pair).get("holderIdentity") == new, 10)
    assert _spec(pair)["leaseTransitions"] == epoch


async def test_a_new_leader_takes_it_over_also_one_that_has_led_before(pair: Cluster) -> None:
    await _moved(pair, "pg-0", "pg-1")
    await pair.until_synchronous("pg-0")
    await _moved(pair, "pg-1", "pg-0")
    assert not pair.said("pg-0", "the Lease is not renewed")


async def test_a_question_without_a_name_counts_as_every_peer_s(pair: Cluster) -> None:
    """An older gate asks so: nobody may conclude that it has been isolated for long."""
    pair.freeze("pg-0")
    await asyncio.sleep(2)
    url = f"http://{pair.address('pg-1')}:{pair.gate_port}/v1/status"
    async with pair.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        assert (await answer.json())["asked"]["pg-0"] < 1
    pair.freeze("pg-0", signal.SIGCONT)


async def test_a_server_that_is_held_does_not_outlive_its_gate(pair: Cluster) -> None:
    """Whoever has held it is gone with the gate, and nobody would let it go on."""
    server = pair.postmaster("pg-0")
    pair.freeze("pg-0", gate=False)
    began = time.monotonic()
    pair.kill("pg-0", signal.SIGTERM)
    assert time.monotonic() - began < 10
    await pair.until(lambda: start_time(server) is None, 5)
