"""An address that has become another gate's: that one neither answers for the member that was meant, nor obeys."""

from __future__ import annotations

import pytest

from activities.clients.gate import GateClient
from activities.clients.kubernetes.addresses import Addresses
from activities.clients.ports import UnreachableError
from estate.base import Region
from estate.postgres import GateAccess, PostgresTarget
from gate.api import FenceCommand, Role
from tests.gate.harness import TOKEN, Cluster
from tests.postgres.samples import target


class _Elsewhere(Addresses):
    """Says of every member that it is where ``pg-1`` is."""

    def __init__(self, pair: Cluster) -> None:
        self._pair, self.forgotten = pair, list[str]()

    async def of_member(self, target: PostgresTarget, member: str) -> str:  # noqa: ARG002
        return self._pair.address("pg-1")

    def forget_pod(self, region: Region, pod: str) -> None:  # noqa: ARG002
        self.forgotten.append(pod)


async def test_a_fence_that_reaches_another_member_is_not_obeyed_and_no_proof(
    pair: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    addresses = _Elsewhere(pair)
    gates = GateClient(addresses)
    orders = target(members=("pg-0", "pg-1"), gate=GateAccess(token="env:TOKEN", port=pair.gate_port))
    others = orders.model_copy(update={"name": "orders-dr"})
    command = FenceCommand(epoch=9, run="test/1", timeout_seconds=5)
    try:
        with pytest.raises(UnreachableError, match="this is the gate of orders/pg-1; that of orders/pg-0 was meant"):
            await gates.fence(orders, "pg-0", command)
        with pytest.raises(UnreachableError, match="that of orders-dr/pg-1 was meant"):
            await gates.fence(others, "pg-1", command)
        with pytest.raises(UnreachableError, match="was meant"):
            await gates.status(orders, "pg-0")
        status = await gates.status(orders, "pg-1")
    finally:
        await gates.close()
    assert (status.role, status.epoch, status.fenced_at_epoch) == (Role.STANDBY, 1, None)
    assert addresses.forgotten == ["pg-0", "pg-1", "pg-0"]
