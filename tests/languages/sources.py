"""Find in the source every message that people may read: f-strings, and constants of two words or more.

A message's values are numbered in the order in which they stand; values side by side are one. Log lines, docstrings, SQL and
programs' arguments are no messages. Single words (``failed``) are not found, since most are names: those that people read
are listed in ``words.txt``, and are looked for in the source.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCOPE = ("starters", "workflows", "activities", "estate", "gate")
_TEMPLATES = "starters/render/templates"
_LEFT_OUT = (
    "starters/commands", "starters/init", "starters/main.py", "starters/exporter", "activities/clients/foreign.py",
    "activities/clients/own_writes.py", "activities/clients/kubernetes/listing.py", "activities/detection",
    "activities/doctor",
    "gate/commands", "gate/lease", "gate/settings.py", "estate/loader.py",
)  # fmt: skip
"""Not translated: the help, refusals of options, init's questions and what it reads, probes, and doctor's findings."""
_EDGES = " \t\n,;:."
_WORD = re.compile(r"[A-Za-z]{2,}")
_NO_TEXT = re.compile(
    r"\b(SELECT|ALTER|INSERT|CREATE|DELETE FROM|DROP|GRANT|WHERE|ExecutionStatus|WorkflowType)\b"
    r"|://|\\|<[a-z/]|%s|=\"|^[/\[-]|^--|_%|^##|[{};] *\n|white-space"
    r"|^`?(failover|kubectl|az|temporal|select|grant|pg_ctl)( [a-z{]|$)|^bold |^(\{\} )*\{\}$|^host |^child-"
)
_NAMED = re.compile(r"\{([A-Za-z_]\w*(?:\.\w+)*)?(?:![rsa])?(?::[^{}]*)?\}")
_SIDE_BY_SIDE = re.compile(r"\{\d+\}(?:\{\d+\})+")


@cache
def messages() -> dict[str, set[str]]:
    """Return each message with the files that it stands in."""
    found: dict[str, set[str]] = {}
    for path in _files():
        name = str(path.relative_to(ROOT))
        texts = _of_template(path) if path.suffix == ".j2" else texts_of(ast.parse(path.read_text(encoding="utf-8")))
        for text in texts:
            if message := normal(text):
                found.setdefault(message, set()).add(name)
    return found


@cache
def constants() -> set[str]:
    """Return all constant text of the source, however short and wherever it stands, and the templates."""
    found = {path.read_text(encoding="utf-8") for path in _files() if path.suffix == ".j2"}
    for path in (one for root in SCOPE for one in (ROOT / root).rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        found |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return found


def texts_of(tree: ast.Module) -> Iterator[str]:
    """Yield every text of a module that may be a message, with ``{}`` for each value."""
    aside = _aside(tree)
    for node in ast.walk(tree):
        if id(node) in aside:
            continue
        if isinstance(node, ast.JoinedStr):
            yield "".join(one.value if isinstance(one, ast.Constant) else "{}" for one in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def normal(text: str) -> str:
    """Return a text as it stands in the catalogue; empty: it is no message."""
    plain = text.strip(_EDGES)
    if plain[:1] == "(" and plain[-1:] == ")":
        plain = plain[1:-1]
    literal = re.sub(r"\{[^{}]*\}", " ", plain)
    many = len(_WORD.findall(literal))
    if "\n" in plain or _NO_TEXT.search(plain) or not many or (many == 1 and "{" not in plain):
        return ""
    numbers = iter(range(99))
    numbered = _NAMED.sub(lambda _: f"{{{next(numbers)}}}", plain)
    return _side_by_side(numbered) if " " in numbered else ""


def _side_by_side(text: str) -> str:
    numbers = iter(range(99))
    return re.sub(r"\{\d+\}", lambda _: f"{{{next(numbers)}}}", _SIDE_BY_SIDE.sub("{0}", text))


def _files() -> Iterator[Path]:
    for root in SCOPE:
        yield from (one for one in sorted((ROOT / root).rglob("*.py")) if not _is_left_out(one))
    yield from sorted((ROOT / _TEMPLATES).glob("*.j2"))


def _is_left_out(path: Path) -> bool:
    return str(path.relative_to(ROOT)).startswith(_LEFT_OUT)


def _aside(tree: ast.Module) -> set[int]:
    """Return what is not looked at: docstrings, log lines, and the parts of f-strings, which are looked at as a whole."""
    aside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            aside.add(id(node.value))
        elif isinstance(node, ast.Call) and "logger" in ast.dump(node.func):
            aside |= {id(one) for one in ast.walk(node)}
        elif isinstance(node, ast.JoinedStr):
            aside |= {id(one) for one in node.values if isinstance(one, ast.Constant)}
        elif isinstance(node, ast.FormattedValue) and node.format_spec:
            aside |= {id(one) for one in ast.walk(node.format_spec)}
    return aside


def _of_template(path: Path) -> Iterator[str]:
    text = re.sub(r"{%.*?%}", "\n", path.read_text(encoding="utf-8"))
    if "style" in path.name:
        return
    for line in text.splitlines():
        yield from re.findall(r'"([^"<>]+)"', " ".join(re.findall(r"{{.*?}}", line)))
        yield from re.split(r"{{.*?}}|<[^<>]*>|\*\*|\||^#+ |^- ", line)
