"""From whom a candidate receives what it lacks, and when it gives up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gate.api import GateStatus
from gate.postgres import catchup
from gate.postgres.catchup import BehindError, CatchUp
from tests.gate.parts import Log
from tests.postgres.samples import B, C, status


class Candidate:
    """Has received up to ``has``; following ``C`` brings it to what ``C`` has."""

    def __init__(self, *peers: GateStatus, has: str = "0/100") -> None:
        self.connected, self.looks = True, 0
        self.has, self.peers, self.followed, self.log = has, {one.member: one for one in peers}, list[str](), Log()
        self.catch_up = CatchUp(self._received, self._receives, lambda: 3, self._statuses, self._follow, self.log)

    async def _receives(self) -> bool:
        self.looks += 1
        return self.connected

    async def _received(self) -> str:
        return self.has

    async def _statuses(self) -> dict[str, GateStatus | None]:
        return {B: None, **self.peers}

    async def _follow(self, member: str) -> None:
        self.followed.append(member)
        self.has = self.peers[member].receive_lsn or self.has


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("_ON_ITS_WAY", 0.2), ("_ASK_AGAIN", 0.1), ("_WITHIN", 1.0), ("_FROM_ANOTHER_WITHIN", 1.0)):
        monkeypatch.setattr(catchup, f"{name}_SECONDS", seconds)


async def test_what_is_there_already_needs_nobody() -> None:
    one = Candidate(status(C, receive_lsn="0/200"), has="0/200")
    await one.catch_up.to("0/200")
    assert one.followed == []


async def test_the_rest_comes_from_another_standby_that_has_it() -> None:
    one = Candidate(status(C, receive_lsn="0/200"))
    await one.catch_up.to("0/200")
    assert one.followed == [C]
    assert one.log == ["receives what it lacks from another standby"]


@pytest.mark.parametrize("useless", [{"receive_lsn": "0/1FF"}, {"receive_lsn": "0/200", "timeline": 4}, {"role": "primary"}])
async def test_nobody_else_helps_and_it_says_what_is_missing(useless: dict[str, object]) -> None:
    one = Candidate(status(C, **{"receive_lsn": "0/200", **useless}))
    with pytest.raises(BehindError, match=r"has received 0/100, needs 0/200$"):
        await one.catch_up.to("0/200")
    assert one.followed == []


async def test_it_waits_while_more_comes_and_returns_what_does_not() -> None:
    one = Candidate()
    assert await one.catch_up.while_it_comes("0/200") == "0/100 to 0/200"

    async def arrive() -> None:
        await asyncio.sleep(0.01)
        one.has = "0/200"

    arrival = asyncio.create_task(arrive())
    assert await one.catch_up.while_it_comes("0/200") == ""
    await arrival


async def test_it_does_not_wait_for_what_nobody_sends() -> None:
    one = Candidate()
    one.connected = False
    assert await one.catch_up.while_it_comes("0/200") == "0/100 to 0/200"
    assert one.looks == 1


async def test_what_came_last_counts_though_its_receiver_has_ended() -> None:
    one = Candidate()

    async def ends() -> bool:
        one.has = "0/200"
        return False

    one.catch_up = replace(one.catch_up, receives=ends)
    assert await one.catch_up.while_it_comes("0/200") == ""
