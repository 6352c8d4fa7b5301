"""The section ``notifications``."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from estate.model import Estate
from estate.notices import Event

_TARGET = {"url": "env:PHONE"}


def _estate(**section: Any) -> Estate:
    region = {"location": "East US", "namespace": "x"}
    return Estate.model_validate(
        {"regions": {"eastus": region}, "notifications": {"targets": {"phone": _TARGET}, **section}}
    )


def test_a_target_is_told_everything_unless_it_says_what() -> None:
    section = _estate(targets={"phone": _TARGET, "mail": {**_TARGET, "events": ["failed", "no-way-back"]}}).notifications
    assert section is not None
    assert section.targets["phone"].events == tuple(Event)
    assert section.targets["mail"].events == (Event.FAILED, Event.NO_WAY_BACK)


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"targets": {}}, "at least 1 item"),
        ({"targets": {"phone": {"url": "slack://token"}}}, "must be a reference, env:NAME or file:PATH"),
        ({"targets": {"phone": {**_TARGET, "events": ["everything"]}}}, "Input should be 'started'"),
        ({"escalate_to": ["mona"]}, "escalate_to names mona, which targets does not list; known: phone"),
        ({"repeat_every": "PT0S"}, "greater than 0"),
        ({"ui": "temporal.example"}, "String should match pattern"),
        ({"repeat": "PT5M"}, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        _estate(**section)
