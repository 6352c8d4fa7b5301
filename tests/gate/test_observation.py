"""What a look shows of API server and peers, and when peers were heard and asked."""

from __future__ import annotations

from typing import cast

import pytest

from gate.api import GateStatus
from gate.lease.kube import ApiServer
from gate.lease.peers import Peers
from gate.loop.observation import Observer
from gate.record import MalformedRecordError, Record
from tests.postgres.samples import B, C, record, status


class World:
    """An API server that gives ``answer``, and peers of which only B answers."""

    def __init__(self, answer: Record | Exception | None) -> None:
        self.answer, self.names, self.asked, self.logged = answer, (B, C), 0, list[str]()
        self.observer = Observer(cast("ApiServer", self), cast("Peers", self), lambda what, _: self.logged.append(what))

    async def record(self) -> Record | None:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def has_mirror(self) -> bool:
        return True

    async def statuses(self) -> dict[str, GateStatus | None]:
        self.asked += 1
        return {B: status(B), C: None}


async def test_peers_are_asked_only_where_they_are_needed() -> None:
    world = World(record())
    outside = await world.observer.look(ask_peers=False)
    assert (outside.record, outside.peers, outside.mirror, world.asked) == (record(), {}, False, 0)
    assert B in (await world.observer.look(ask_peers=True)).peers


@pytest.mark.parametrize("failure", [TimeoutError("silent"), MalformedRecordError("edited by hand")])
async def test_an_api_server_that_says_nothing_usable_does_not_answer(failure: Exception) -> None:
    world = World(failure)
    outside = await world.observer.look(ask_peers=False)
    assert (outside.api_answers, outside.record, outside.mirror, world.asked) == (False, None, False, 1)
    assert world.logged == ["the API server does not answer"]


async def test_without_a_record_its_mirror_and_the_peers_count() -> None:
    outside = await World(None).observer.look(ask_peers=False)
    assert (outside.api_answers, outside.mirror, set(outside.peers)) == (True, True, {B, C})


async def test_a_pause_is_seen() -> None:
    assert (await World(record(paused_until="9999-01-01T00:00:00Z")).observer.look(ask_peers=False)).paused


async def test_who_answered_is_heard_and_a_question_without_a_name_is_everybody_s() -> None:
    world = World(record())
    await world.observer.look(ask_peers=True)
    assert set(world.observer.heard) == {B}
    world.observer._asked_at = dict.fromkeys((B, C), 0.0)
    world.observer.note_question(C)
    world.observer.note_question("a stranger")
    assert world.observer.asked[C] < 60 < world.observer.asked[B]
    world.observer.note_question("")
    assert world.observer.asked[B] < 60
