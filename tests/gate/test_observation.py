"""What a look shows of API server and peers, and when peers were heard and asked."""

from __future__ import annotations

from typing import cast

from gate.api import GateStatus
from gate.lease.kube import ApiServer
from gate.lease.peers import Peers
from gate.loop.observation import Observer
from gate.record import MalformedRecordError, Mirror, Record
from tests.postgres.samples import B, C, record, status

MIRROR = Mirror(B, 5)


class World:
    """An API server that gives ``answer``, and peers of which only B answers."""

    def __init__(self, answer: Record | Exception | None) -> None:
        self.answer, self.names, self.asked, self.logged, self.order = answer, (B, C), 0, list[str](), list[str]()
        api, peers = cast("ApiServer", self), cast("Peers", self)
        self.observer = Observer(api, peers, lambda: 5, lambda what, _: self.logged.append(what))

    async def record(self) -> Record | None:
        self.order.append("record")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def mirror(self) -> Mirror | None:
        self.order.append("mirror")
        return MIRROR

    async def statuses(self) -> dict[str, GateStatus | None]:
        self.asked += 1
        return {B: status(B), C: None}


async def test_peers_are_asked_only_where_they_are_needed() -> None:
    world = World(record())
    outside = await world.observer.look(ask_peers=False)
    assert (outside.record, outside.peers, outside.mirror, world.asked) == (record(), {}, None, 0)
    assert B in (await world.observer.look(ask_peers=True)).peers


async def test_an_api_server_that_is_silent_leaves_the_peers() -> None:
    world = World(TimeoutError("silent"))
    outside = await world.observer.look(ask_peers=False)
    assert (outside.api_answers, outside.record, outside.mirror, world.asked) == (False, None, None, 1)
    assert world.logged == ["the API server does not answer"]


async def test_a_record_that_cannot_be_read_is_not_silence() -> None:
    world = World(MalformedRecordError("edited by hand"))
    outside = await world.observer.look(ask_peers=False)
    assert (outside.api_answers, outside.record, outside.mirror, world.asked) == (True, None, MIRROR, 1)
    assert (outside.unreadable, world.logged) == ("edited by hand", ["the leader record cannot be read"])


async def test_beside_an_older_record_its_mirror_and_the_peers_count() -> None:
    outside = await World(record(epoch=4)).observer.look(ask_peers=False)
    assert (outside.record, outside.mirror, set(outside.peers)) == (record(epoch=4), MIRROR, {B, C})


async def test_who_may_be_about_to_lead_looks_at_the_mirror_first() -> None:
    world = World(record())
    outside = await world.observer.look(ask_peers=True, to_lead=True)
    assert (outside.mirror, world.order) == (MIRROR, ["mirror", "record"])


async def test_without_a_record_its_mirror_and_the_peers_count() -> None:
    outside = await World(None).observer.look(ask_peers=False)
    assert (outside.api_answers, outside.mirror, set(outside.peers)) == (True, MIRROR, {B, C})


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
