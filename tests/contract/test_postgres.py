from __future__ import annotations

from datetime import timedelta

import pytest

from activities.clients.ports import UnreachableError
from tests.contract.conftest import Bench

_SOON = timedelta(seconds=3)


async def test_members_say_by_sql_what_they_are(bench: Bench) -> None:
    first = await bench.postgres.facts(bench.target, await bench.leader())
    second = await bench.postgres.facts(bench.target, await bench.standby())
    assert (first.in_recovery, second.in_recovery) == (False, True)
    assert first.system_identifier == second.system_identifier == (await bench.record()).system_identifier
    assert first.timeline == second.timeline


async def test_a_write_is_proved_on_the_leader_only(bench: Bench) -> None:
    verified = await bench.postgres.verify_write(bench.target, await bench.leader())
    assert verified.leader == await bench.leader()
    with pytest.raises(UnreachableError):
        await bench.postgres.verify_write(bench.target, await bench.standby())


async def test_the_write_that_proves_a_route_can_be_tried_beforehand(bench: Bench) -> None:
    assert await bench.postgres.try_write(bench.target) == ""
    assert (await bench.postgres.verify_write(bench.target, await bench.leader())).refused == ""


async def test_rows_that_were_acknowledged_are_there(bench: Bench) -> None:
    await bench.postgres.prepare_rows(bench.target)
    await bench.postgres.prepare_rows(bench.target)
    for row in range(3):
        await bench.postgres.write_row(bench.target, "contract/rows", row, timeout=_SOON)
    assert await bench.postgres.missing_rows(bench.target, "contract/rows", (0, 1, 2)) == 0
    assert await bench.postgres.missing_rows(bench.target, "contract/rows", (0, 1, 2, 3)) == 1
    await bench.postgres.remove_rows(bench.target, "contract/rows")
