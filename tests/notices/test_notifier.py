"""The client that sends, in front of a receiver on loopback: what is taken, what is not, and that no secret is told."""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients import notifier
from activities.clients.notice_ports import Unsent
from activities.clients.notifier import AppriseSender
from tests.notices.receiver import receiving


def _reference(folder: Path, *addresses: str) -> str:
    file = folder / "url"
    file.write_text("\n".join(addresses), encoding="utf-8")
    return f"file:{file}"


async def test_a_text_is_taken_as_it_is(tmp_path: Path) -> None:
    async with receiving() as one, receiving() as two:
        body = "first <b>line</b> & *more*\nfailover approve postgres/orders --by NAME"
        await AppriseSender().send("phone", _reference(tmp_path, one.url, two.url), "Title: é 中文", body)
        assert [(text["title"], text["message"]) for text in one.texts] == [("Title: é 中文", body)]
        assert len(two.texts) == 1, "one target may be several addresses"


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("json://127.0.0.1:1/tokentoken", "onnection error"),
        ("nonsense-tokentoken", "no address that apprise knows"),
        ("slack://tokentoken", "no address that apprise knows"),
    ],
)
async def test_what_is_not_taken_is_said_without_the_address(tmp_path: Path, address: str, why: str) -> None:
    log = io.StringIO()
    root, handler = logging.getLogger(), logging.StreamHandler(log)
    root.addHandler(handler)
    with pytest.raises(Unsent, match=why) as said:
        await AppriseSender().send("phone", _reference(tmp_path, address), "title", "body")
    root.removeHandler(handler)
    assert "tokentoken" not in str(said.value) + log.getvalue()


def test_no_part_of_an_address_is_left_in_what_is_said() -> None:
    secret = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?to=ops&pass=hunter22"
    said = "HTTP 404 for https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ (hunter22)"
    assert notifier._without(secret, said) == "HTTP 404 for https://hooks.slack.com/services/…/…/… (…)"


async def test_a_refusal_is_said_with_its_number(tmp_path: Path) -> None:
    async with receiving() as receiver:
        receiver.status = 500
        with pytest.raises(Unsent, match="error=500"):
            await AppriseSender().send("phone", _reference(tmp_path, receiver.url), "title", "body")


async def test_a_secret_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ApplicationError, match=r"secret file:.*gone"):
        await AppriseSender().send("phone", f"file:{tmp_path}/gone", "title", "body")


@asynccontextmanager
async def _dripping() -> AsyncIterator[int]:
    """Answer a byte at a time, so that no limit for one read helps; yield the port."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            return

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in asyncio.all_tasks():
            if "drip" in repr(task.get_coro()):
                task.cancel()


async def test_an_answer_that_never_ends_holds_up_nothing_else(tmp_path: Path) -> None:
    sender = AppriseSender(within_seconds=0.5)
    async with _dripping() as port, receiving() as well:
        (tmp_path / "slow").mkdir()
        slow = _reference(tmp_path / "slow", f"json://127.0.0.1:{port}/")
        with pytest.raises(Unsent, match=r"no answer within 0\.5 s"):
            await sender.send("slow", slow, "title", "body")
        with pytest.raises(Unsent, match=r"no answer within 0\.5 s"):
            await sender.send("slow", slow, "title", "body")
        assert sum(one.name == "notices-slow" for one in threading.enumerate()) == 1, "one thread a target, however often"
        await sender.send("well", _reference(tmp_path, well.url), "title", "body")
        assert well.titles == ["title"]
    async with asyncio.timeout(30):
        while any(one.name == "notices-slow" for one in threading.enumerate()):
            await asyncio.sleep(0.05)


async def test_two_at_once_are_sent_one_after_the_other(tmp_path: Path) -> None:
    """A test and a notice, or a step that is taken again while the first still goes on."""
    sender = AppriseSender()
    async with receiving() as receiver:
        address = _reference(tmp_path, receiver.url)
        await asyncio.gather(*(sender.send("phone", address, f"title {number}", "body") for number in range(5)))
        assert sorted(receiver.titles) == [f"title {number}" for number in range(5)]
