"""Sentences are for people: no decision depends on what one of them says, so that any of them may be worded anew."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("workflows", "activities", "starters")
FOREIGN = ROOT / "activities" / "clients" / "foreign.py"
"""The one file that reads other programs' messages."""
SENTENCES = {"reason", "words", "message", "explanation", "complaint", "note", "error", "text", "sentence", "doing"}
"""Names of what holds a sentence."""
READS = {"startswith", "endswith", "find", "index", "search", "fullmatch"}


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _reads(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what looks into a text: ``.startswith(…)``, ``"…" in one.reason``, ``one.reason == "…"``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            on = _name(node.func.value)
            if node.func.attr in {"startswith", "endswith"} or (node.func.attr in READS and on in SENTENCES):
                yield node
        if isinstance(node, ast.Compare):
            for operator, right in zip(node.ops, node.comparators, strict=True):
                left = node.left
                looks_into = isinstance(operator, ast.In | ast.NotIn) and _is_text(right)
                equals = isinstance(operator, ast.Eq | ast.NotEq) and _name(left) in SENTENCES and _is_literal(right)
                if looks_into or equals:
                    yield node


def _is_text(node: ast.expr) -> bool:
    called = isinstance(node, ast.Call) and _name(node.func) in {"str", "lower"}
    return called or _name(node) in SENTENCES


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and bool(node.value))


def _found(source: str) -> list[int]:
    return [getattr(node, "lineno", 0) for node in _reads(ast.parse(source))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_reads_back_a_sentence(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != FOREIGN
        for line in _found(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "give the fact a type (an enum, a field), and let the sentence be rendered from it"


@pytest.mark.parametrize(
    "source",
    [
        'left.startswith("route:")',
        '"its own gate" in diagnosis.reason',
        '"refused" in str(error)',
        "words not in journal.explanation",
        'fact.message == "no"',
        'error.text.find("x")',
    ],
)
def test_each_way_to_read_a_sentence_is_found(source: str) -> None:
    assert _found(source) == [1]
