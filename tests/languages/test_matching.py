"""A finished text is translated by the message that it was made from."""

from __future__ import annotations

import pytest

from languages.choice import UnknownLanguageError, choose, default_language, language_of, translated
from languages.matching import Translator

_CATALOGUE = {
    "proof ({0}) after {1}: {2}": "{1} 後證實（{0}）：{2}",
    "the gate of {0} does not answer: {1}": "{0} 的 gate 沒有回應：{1}",
    "asked by {0}: {1}": "由 {0} 要求：{1:asis}",
    "no reason given": "未說明原因",
    "its sessions end": "其工作階段結束",
    "{0} follows": "{0} 跟隨",
    "{0} is master after {1} {2}": "{0} 於 {1} 後成為主要節點 {2}",
    "{0} of {1}": "{1} 的 {0}",
    "failed": "失敗",
    "inside steps": "步驟內",
    "not yet translated": "",
}


@pytest.fixture(scope="module")
def chinese() -> Translator:
    return Translator(_CATALOGUE)


@pytest.mark.parametrize(
    ("english", "told"),
    [
        ("the gate of pg-0 does not answer: timed out", "pg-0 的 gate 沒有回應：timed out"),
        (
            "proof (gate) after 1.2 s: the gate of pg-0 does not answer: failed",
            "1.2 秒後證實（gate）：pg-0 的 gate 沒有回應：失敗",
        ),
        ("  its sessions end; pg-1 follows.", "  其工作階段結束；pg-1 跟隨。"),
        ("inside steps 0.449 s, pg-1 follows", "步驟內 0.449 秒，pg-1 跟隨"),
        ("3 failed", "3 失敗"),
        ("2. its sessions end", "2. 其工作階段結束"),
        ("r-1 is master after 2.276 s (failed)", "r-1 於 2.276 秒後成為主要節點（失敗）"),
        ("first\nits sessions end", "first\n其工作階段結束"),
        ("ITS SESSIONS END", "其工作階段結束"),
    ],
)
def test_values_are_put_into_the_translation_and_translated_too(chinese: Translator, english: str, told: str) -> None:
    assert chinese.text(english) == told


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "pg-0", "10.0.0.1:5432, pg-1", "failover start postgres-failover orders --by YOU", "not yet translated",
        "select count(*) from failover_tests", "one of a great many other things that people write down", "{0} {name} }{",
    ],
)  # fmt: skip
def test_what_no_message_fits_stays(chinese: Translator, text: str) -> None:
    assert chinese.text(text) == text


def test_a_persons_words_are_not_touched_unless_they_are_a_message_as_a_whole(chinese: Translator) -> None:
    assert chinese.text("asked by omar: it failed, its sessions end") == "由 omar 要求：it failed, its sessions end"
    assert chinese.text("asked by omar: no reason given") == "由 omar 要求：未說明原因"
    assert chinese.words("failed") == "failed"


def test_a_long_line_is_translated_to_its_end_and_soon(chinese: Translator) -> None:
    line = "; ".join(f"the gate of pg-{number} does not answer: failed" for number in range(200))

    assert chinese.text(line).count("沒有回應：失敗") == 200


@pytest.mark.parametrize(
    ("typed", "language"), [("zh-TW", "zh-TW"), ("zh_tw", "zh-TW"), ("zh_TW.UTF-8", "zh-TW"), ("EN", "en")]
)
def test_a_language_is_found_by_its_usual_names(typed: str, language: str) -> None:
    assert language_of(typed) == language


def test_the_environment_is_asked_in_order() -> None:
    assert default_language({"FAILOVER_LANG": "zh-TW", "LANG": "en_US.UTF-8"}) == "zh-TW"
    assert default_language({"LANG": "zh_TW.UTF-8"}) == "zh-TW"
    assert default_language({"LC_ALL": "C.UTF-8", "LANG": "zh_TW.UTF-8"}) == "en"
    assert default_language({"LANG": "de_DE.UTF-8"}) == "en"
    assert default_language({}) == "en"
    with pytest.raises(UnknownLanguageError, match="'tlh' is not spoken here; give one of en, zh-TW"):
        default_language({"FAILOVER_LANG": "tlh"})


def test_english_is_not_touched() -> None:
    choose("en")
    text = "its sessions end"

    assert translated(text) is text
