"""People are told in the language that the estate names; the history keeps the English text."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from activities.notices.models import Message, SendRequest
from activities.notices.steps import NoticesActivities
from activities.run.inventory import Inventory
from estate.notices import Event, Notifications
from languages.choice import translated
from tests.notices.samples import APPROVAL, NOON, facts
from workflows.notices.models import Notice
from workflows.notices.texts import test_text as try_text
from workflows.notices.texts import text_of


class _Phone:
    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    async def send(self, target: str, address: str, title: str, body: str) -> None:
        assert (target, address) == ("phone", "env:PHONE")
        self.texts.append((title, body))


def _section(**more: Any) -> Notifications:
    return Notifications.model_validate({"targets": {"phone": {"url": "env:PHONE"}}, **more})


async def _told(event: Event, section: Notifications) -> tuple[str, str]:
    title, body = text_of(
        Notice(event=event, facts=facts(ended="completed", why="all is done"), need=APPROVAL), "", "default"
    )
    phone = _Phone()
    inventory = cast("Inventory", SimpleNamespace(latest=SimpleNamespace(notifications=section)))
    message = Message(number=0, event=event.value, run_id="r", title=title, body=body, queued_at=NOON)
    sent = await NoticesActivities(inventory, phone).send(SendRequest(target="phone", messages=(message,)))
    assert sent.count == 1
    return phone.texts[0]


@pytest.mark.parametrize("event", list(Event))
async def test_every_event_is_told_in_chinese(event: Event) -> None:
    title, body = await _told(event, _section(language="zh_tw"))

    assert re.search(r"[\u4e00-\u9fff]", title)
    for line in body.splitlines():
        assert re.search(r"[\u4e00-\u9fff]", line), line


async def test_english_is_the_default_and_another_language_is_refused() -> None:
    assert (await _told(Event.DONE, _section()))[0].startswith("Done: ")
    with pytest.raises(ValidationError, match="'tlh' is not spoken here; give one of en, zh-TW"):
        _section(language="tlh")


def test_the_test_text_is_a_message_of_the_catalogue() -> None:
    title, body = try_text("phone")

    assert translated(title, "zh-TW") == "failover 通知測試"
    assert "phone" in translated(body, "zh-TW")
