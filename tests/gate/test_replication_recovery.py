"""When a standby that does not stream is rewound or copied, and what keeps it from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gate.api import GateStatus, Role, ServerFacts
from gate.loop.replication_recovery import Recovery, ReplicationRecovery
from tests.gate.parts import settings
from tests.postgres.samples import B, leader, record

ALONE = ServerFacts(role=Role.STANDBY, receive_lsn="0/3000000")
LEADS: dict[str, Any] = {"member": B, "timeline": 3, "oldest_wal": "0/1000000"}
DIVERGED = {"timeline": 4, "history": ((3, "0/2000000"),)}
STARVED = {"oldest_wal": "0/4000000"}
GIVEN_UP = {"timeline": 4, "history": ((2, "0/2000000"),)}


class Standby:
    """A standby on timeline 3 whose leader answers with ``status``."""

    def __init__(self, folder: Path, status: GateStatus | None, **changes: Any) -> None:
        self.asked = 0
        self.status = status
        self.recovery = ReplicationRecovery(settings(folder, **{"starved_after": 1e-9, **changes}), self._ask)
        (folder / "pgdata/pg_wal" / f"{3:08X}{0:08X}{2:08X}").touch()

    async def _ask(self, _: str) -> GateStatus | None:
        self.asked += 1
        return self.status

    async def due(self, facts: ServerFacts = ALONE, *, asked_for: bool = False, **changes: Any) -> Recovery | None:
        """Return what is due at a second look: the first only notes that it is alone."""
        await self.recovery.tend(record(leader=B, **changes), facts, asked_for=asked_for)
        return await self.recovery.tend(record(leader=B, **changes), facts, asked_for=asked_for)


@pytest.mark.parametrize(
    ("changes", "rewinds", "begins"),
    [(DIVERGED, True, "DIVERGED"), (STARVED, False, "STARVED"), (GIVEN_UP, False, "STARVED: is on timeline 3")],
)
async def test_what_can_be_proved_is_due(tmp_path: Path, changes: dict[str, Any], rewinds: bool, begins: str) -> None:  # noqa: FBT001
    due = await Standby(tmp_path, leader(**LEADS | changes)).due()
    assert due is not None
    assert due.rewinds is rewinds
    assert due.message.startswith(begins)
    assert due.message.endswith("is rewound" if rewinds else "is copied")


@pytest.mark.parametrize(
    "status",
    [None, leader(**LEADS), leader(**LEADS | STARVED | {"role": Role.STANDBY}), leader(**LEADS | {"oldest_wal": None})],
)
async def test_what_is_not_proved_is_not(tmp_path: Path, status: GateStatus | None) -> None:
    one = Standby(tmp_path, status)
    assert await one.due() is None
    assert one.recovery.obstacle == ""


@pytest.mark.parametrize("facts", [ServerFacts(), ServerFacts(role=Role.PRIMARY), ALONE.model_copy(update={"upstream": B})])
async def test_one_that_streams_or_does_not_answer_asks_nobody(tmp_path: Path, facts: ServerFacts) -> None:
    one = Standby(tmp_path, leader(**LEADS | STARVED))
    assert await one.due(facts) is None
    assert one.asked == 0


async def test_it_waits_before_it_asks_and_anew_once_the_work_has_begun(tmp_path: Path) -> None:
    one = Standby(tmp_path, leader(**LEADS | STARVED), starved_after=60)
    assert await one.due() is None
    one.recovery._since = 0.001
    assert await one.due() is not None
    one.recovery.begun()
    assert await one.due() is None


async def test_a_pause_holds_it_unless_a_person_has_asked(tmp_path: Path) -> None:
    one = Standby(tmp_path, leader(**LEADS | DIVERGED))
    pause: dict[str, Any] = {"paused_until": "9999-01-01T00:00:00Z", "paused_by": "mona", "paused_because": "look first"}
    assert await one.due(**pause) is None
    assert "nothing is done about it automatically: paused until" in one.recovery.obstacle
    assert await one.due(asked_for=True, **pause) is not None
    assert one.recovery.obstacle == ""


async def test_without_room_for_a_copy_everything_is_left_running(tmp_path: Path) -> None:
    one = Standby(tmp_path, leader(**LEADS | STARVED | {"data_bytes": 10**18}))
    assert await one.due() is None
    assert "enlarge the volume" in one.recovery.obstacle
    assert await one.due(ALONE.model_copy(update={"upstream": B})) is None
    assert one.recovery.obstacle == ""
