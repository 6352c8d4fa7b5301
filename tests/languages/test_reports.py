"""Reports of all kept histories in Traditional Chinese: no English sentence is left in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from typer.testing import CliRunner

from languages.choice import choose, translated
from starters.client.answers import plain
from starters.history.model import Facts, facts_of
from starters.history.next_steps import remedy_of
from starters.history.parse import chronicle_of
from starters.main import app
from starters.render.documents import html, markdown
from starters.render.terminal import full
from tests.replay.record import HISTORIES
from tests.starters.recorded import facts

_TWINS = ("bad-input-", "-cancelled", "-expired", "-rejected", "-refused", "adopt-", "-plan")
_TWINS = ("bad-input-", "-cancelled", "-expired", "-rejected", "-refused", "adopt-", "-plan")
_HISTORIES = sorted(HISTORIES.glob("*.json"))
_ALL = [path for at, path in enumerate(_HISTORIES) if at % 4 == 0 or not any(one in path.stem for one in _TWINS)]
"""Of histories that end alike in every procedure, every fourth."""
_PAGES = (
    "planned-approved", "forced-attested", "forced-stranded", "planned-rolled-back", "redis-forced-completed",
    "node-forced-stranded", "region-forced-completed", "leave-planned-completed", "gateway-taken-out", "pods-replaced",
    "drill-passed", "recovery-completed",
)  # fmt: skip
_ENGLISH = re.compile(r"(?<![\w/.:=-])[A-Za-z][a-z']+(?:,? (?:[A-Za-z][a-z']+|[Aa])){2,}")
"""Three words of English or more in a row."""
_OF_OTHERS = re.compile(
    r"\S+ (?:was|先前為) made to (?:fail|act and not to report)"  # what the fakes say
    r"|last lines of \S+|look at it first"  # a log's lines, and a person's words
    r"|Status code of the backend's HTTP response did not match the probe setting"  # Azure
    r"|Success. Received 200 status code|Failed to establish a new connection"
    r"|Connection refused|Connect call failed"  # Python
    r"|Worker is shutting down[^;。]*"  # Temporal
    r"|(?:kubectl|az|failover) [a-z-]+(?: [a-z-]+)*"  # commands
    r"|Front Door route|Azure Database for|role replicator, role failover"  # names
)


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    choose("zh-TW")
    yield
    choose("en")


def _facts(path: Path) -> Facts | None:
    chronicle = chronicle_of(WorkflowHistory.from_json("", path.read_text(encoding="utf-8")).events)
    return facts_of(chronicle) if chronicle.started_at else None


def _english(text: str) -> list[str]:
    shown = re.sub(r"<style>.*?</style>|<[^<>]*>", "\n", text, flags=re.DOTALL).replace("&#39;", "'")
    own = _OF_OTHERS.sub(" …: ", re.sub(r"(?<=\S) *\n *(?=[a-z])", " ", shown))
    return _ENGLISH.findall(own)


def test_no_english_sentence_is_left_in_any_report() -> None:
    left: dict[str, list[str]] = {}
    for path in _ALL:
        if (told_of := _facts(path)) is None:
            continue
        remedy = remedy_of(told_of)
        told = [plain(full(told_of)), *(map(translated, remedy.lines) if remedy else ())]
        if found := _english("\n".join(told)):
            left[path.stem] = found

    assert not left


@pytest.mark.parametrize("name", _PAGES)
def test_no_english_sentence_is_left_in_pages(name: str) -> None:
    found = _facts(HISTORIES / f"{name}.json")
    assert found is not None

    page, paper = html(found), markdown(found)

    assert '<html lang="zh-Hant-TW">' in page
    assert not _english(page)
    assert not _english(paper)
    assert found.run_id in page
    assert found.run_id in paper


@pytest.mark.parametrize(
    ("kind", "style"), [("switched", '<span class="met">達成目標</span>'), ("rolled-back", ""), ("refused", "")]
)
def test_no_english_sentence_is_left_in_the_page_of_a_run_with_a_report(kind: str, style: str) -> None:
    page = html(facts(kind))

    assert style in page
    assert not _english(re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL))


def test_the_option_is_taken_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    history = str(HISTORIES / "planned-approved.json")
    monkeypatch.setenv("FAILOVER_LANG", "zh-TW")

    by_environment = CliRunner().invoke(app, ["report", "--file", history])
    by_option = CliRunner().invoke(app, ["report", "--file", history, "--lang", "en"])
    unknown = CliRunner().invoke(app, ["report", "--file", history, "--lang", "tlh"])

    assert "時間軸" in by_environment.stdout
    assert "Timeline" in by_option.stdout
    assert (unknown.exit_code, unknown.stderr) == (2, "failover: lang: 'tlh' is not spoken here; give one of en, zh-TW\n")


def test_json_stays_english() -> None:
    ran = CliRunner().invoke(
        app, ["report", "--file", str(HISTORIES / "planned-approved.json"), "--lang", "zh-TW", "-o", "json"]
    )

    assert ran.stdout
    assert not re.search(r"[\u4e00-\u9fff]", ran.stdout)


def test_a_refusal_is_told_in_the_chosen_language() -> None:
    ran = CliRunner().invoke(app, ["report", "--lang", "zh-TW", "--file", "/nowhere/history.json"])

    assert ran.exit_code == 2
