"""README, runbooks and the other documents: short lines, plain terms, no dead link, and a first page that leads everywhere.

People read these pages at three in the morning. A runbook therefore begins with three lines (impact, whether it is safe to
wait, the first command), puts actions before mechanism, and explains every refusal that the product knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from activities.run.errors import Refusal
from activities.run.models.doctor import Finding
from activities.run.models.report import Known
from starters.commands.history import PastRun
from starters.commands.pause import Pause
from starters.history.model import Facts, StepFact
from starters.history.objective import Verdict
from starters.history.timing import Timing
from starters.main import app
from workflows.detection.models import WatchStatus
from workflows.run.models import Status

ROOT = Path(__file__).parents[2]
README, DOCS = ROOT / "README.md", ROOT / "docs"
DOCUMENTS = [README, *sorted(DOCS.glob("**/*.md"))]
FIRST_PAGE = DOCS / "runbooks" / "README.md"
RUNBOOKS = [one for one in sorted((DOCS / "runbooks").glob("*.md")) if one != FIRST_PAGE]

_LONGEST_LINE, _LONGEST_README = 120, 100
_BEGINNING = ("- **Impact:** ", "- **Safe to wait?** ", "- **First command:** `")
_FENCE = re.compile(r"^\s*```")

BANNED = {
    r"words?": "attestation, message, report, statement",
    r"watch(es|ers|ing|ed)?": "detection; follow a run; observe",
    r"eyes?|sightings?|verdicts?|reactions?": "probe, observation, quorum, policy",
    r"acknowledge": "re-arm",
    r"on leave|its leave|the leave|leave counts|\*leave\*": "leadership deadline, lease",
    r"settle[sd]?|settling": "recover an interrupted run; await ready",
    r"seal(s|ed|ing)?": "revoke the promotion",
    r"(give|gives|giving|given|gave) (\w+ )?(back|up)": "restore the primary; mark out of service; accept the loss",
    r"discard(s|ed|ing)?": "lossy rollback",
    r"what (still )?(leads|keeps)|(leads|moves) from": "hosted leaders; name the noun",
    r"carries(?! out)": "hosts",
    r"evacuat\w+|empt(y|ies|ying|ied) (a|the|of a|of the) nodes?|back and well": "drain, lost node, return to service",
    r"lonely|homeless": "unmanaged pods, unschedulable pods",
    r"insist(s|ed|ing|ence)?": "override the disruption budget",
    r"str(ike|ikes|iking|uck)|mend(s|ed|ing)?|whole": "inject a fault, repair, healthy, entire",
    r"(all|everything|not all) (is|was|were) well|(is|was|are) well( again)?": "healthy",
    r"portraits?|outlook|duties|leftovers?": "status, observation of peers, housekeeping, stale locks",
    r"journal|beginnings|endings|aftermath": "run state, preconditions, outcome, post-promotion steps",
    r"st(and|ands|ood|anding) still|in the middle": "write outage, median",
    r"by (itself|themselves|himself|herself)": "automatically, with its subject",
    r"planned_only": "dry run",
    r"whoever|at any price|all the same|beforehand|anew|what for": "name the noun; plain connectives",
}
"""Pattern of a whole term → what to write instead. The glossary in ``docs/concepts.md`` explains the terms."""

QUOTED = (
    "`failover watch`",
    "`failover watchers`",
    "`failover watchers acknowledge`",
    "`failover insist`",
    "`acknowledge`",
    "`insist`",
    "`seal`",
    "`settled`",
    "`discard`",
    "`verdict`",
    ".verdict.",
    "`insisted`",
    "`watches`",
    "`watch`",
    "`watch.",
    "`struck`",
    "`mended`",
    "`give writes back to",
    "mode discard",
    '"mode": "discard"',
    "watch/",
    "benchmarks/results/evacuation.md",
    '"verdict"',
)
"""Registered names, options and keys, which stay as they are and may be quoted."""


_ANNOUNCED = {"watchers", "follow", "detection", "override-budget", "lab"}
"""Commands that the documents name before the command line does, and groups: the lab's is mounted when asked for."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    yield from enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of code blocks."""
    code = False
    for number, line in _lines(path):
        if _FENCE.match(line):
            code = not code
        elif not code:
            yield number, line


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = (line.lstrip("#").strip() for _, line in _prose(path) if re.match(r"#{1,6} ", line))
    texts = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in texts}


def _targets(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in _prose(path):
        for found in re.finditer(r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s+(\S+)", line):
            yield number, found[1] or found[2]


def _dead(path: Path) -> Iterator[str]:
    for number, target in _targets(path):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        page = (path.parent / file).resolve() if file else path
        if not page.exists():
            yield f"{_name(path)}:{number}: {target} does not exist"
        elif anchor and page.suffix == ".md" and anchor not in _anchors(page):
            yield f"{_name(path)}:{number}: {target} has no such heading"


def test_the_readme_is_one_page() -> None:
    assert len(list(_lines(README))) <= _LONGEST_README


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_no_line_is_too_long(path: Path) -> None:
    assert [f"{number}: {len(line)}" for number, line in _lines(path) if len(line) > _LONGEST_LINE] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_no_banned_term_is_used(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for quoted in QUOTED:
        text = text.replace(quoted, "")
    found = []
    for pattern, better in BANNED.items():
        whole = rf"(?<![\w-])(?:{pattern})(?![\w-])".replace(" ", r"\s+")
        for match in re.finditer(whole, text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{line}: {match[0]!r}; rather: {better}")
    assert found == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_no_code_is_broken_over_two_lines(path: Path) -> None:
    assert [number for number, line in _prose(path) if line.count("`") % 2] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_no_link_is_dead(path: Path) -> None:
    assert list(_dead(path)) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_reference_has_its_definition(path: Path) -> None:
    text = "\n".join(re.sub(r"`[^`]*`", "", line) for _, line in _prose(path))
    defined = {name.lower() for name in re.findall(r"^\[([^\]]+)\]:", text, re.MULTILINE)}
    used = {name.lower() for name in re.findall(r"\[([^\]\n]+)\](?![(:\]])", text)}
    assert used - defined == set()
    assert defined - used == set()


@pytest.mark.parametrize("path", RUNBOOKS, ids=_name)
def test_a_runbook_begins_with_impact_urgency_and_the_first_command(path: Path) -> None:
    title, empty, *first = path.read_text(encoding="utf-8").splitlines()[:5]
    assert title.startswith("# ")
    assert empty == ""
    assert [line[: len(begin)] for line, begin in zip(first, _BEGINNING, strict=True)] == list(_BEGINNING)


@pytest.mark.parametrize("path", RUNBOOKS, ids=_name)
def test_a_runbook_tells_when_then_what_to_do_then_refusals_then_the_mechanism(path: Path) -> None:
    headings = [line.removeprefix("## ") for _, line in _prose(path) if line.startswith("## ")]
    expected = ["When", "Start", "Refusals", "How it works"]
    assert headings[0] == "When"
    assert [heading for heading in headings if heading in expected] == expected


@pytest.mark.parametrize("refusal", list(Refusal), ids=str)
def test_every_refusal_has_a_row_in_a_runbook(refusal: Refusal) -> None:
    rows = [line for path in RUNBOOKS for _, line in _prose(path) if line.startswith("|")]
    assert any(f"`{refusal.value}`" in row.split("|")[1] for row in rows)


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_every_command_exists(path: Path) -> None:
    known = {one.name for one in app.registered_commands} | {one.name for one in app.registered_groups} | _ANNOUNCED
    prose = {number for number, _ in _prose(path)}
    typed: list[str] = []
    for number, line in _lines(path):
        typed += re.findall(r"`failover ([a-z-]+)" if number in prose else r"(?:^|\(|run )failover +([a-z-]+)", line)
    assert set(typed) - known == set()


def test_the_first_page_leads_to_every_runbook() -> None:
    pages = {target.partition("#")[0] for _, target in _targets(FIRST_PAGE)}
    assert {path.name for path in RUNBOOKS} - pages == set()


def test_the_index_of_decisions_lists_every_decision() -> None:
    index = DOCS / "adr" / "README.md"
    pages = {target for _, target in _targets(index)}
    assert {path.name for path in DOCS.glob("adr/0*.md")} - pages == set()


@pytest.mark.parametrize(
    "model",
    [Facts, StepFact, Timing, Verdict, Known, Status, WatchStatus, PastRun, Finding, Pause],
    ids=lambda one: one.__name__,
)
def test_every_field_of_the_json_is_documented(model: type[BaseModel]) -> None:
    page = (DOCS / "json.md").read_text(encoding="utf-8")
    assert [name for name in model.model_fields if f"`{name}`" not in page] == []


def test_where_is_what_names_files_that_exist() -> None:
    page = (DOCS / "where-is-what.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", page)
    assert len(named) > 20
    assert [one for one in named if not (ROOT / one).exists()] == []
