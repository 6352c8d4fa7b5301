"""Inside the gate: no part knows the whole, and what is below knows nothing of what is above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MODULES = sorted((CHECKOUT / "gate").rglob("*.py"))
WHOLE = {"gate.loop.core", "gate.loop.loop"}
"""Puts the parts together, and carries out what they want."""
MAY_KNOW_THE_WHOLE = {"gate.__main__", "gate.commands.http", *WHOLE}
BELOW = {
    "gate.postgres": ("gate.loop", "gate.commands"),
    "gate.lease": ("gate.loop", "gate.commands"),
    "gate.loop": ("gate.commands",),
}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> Iterator[str]:
    """Yield every module that is imported, wherever: at the top, inside a function, or for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names))


def test_it_looks_at_all_of_it() -> None:
    assert {_name(path) for path in MODULES} >= WHOLE | MAY_KNOW_THE_WHOLE
    assert set(_imports(CHECKOUT / "gate/__main__.py")) > WHOLE


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_part_knows_the_whole(path: Path) -> None:
    assert _name(path) in MAY_KNOW_THE_WHOLE or not WHOLE & set(_imports(path))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_what_is_below_knows_nothing_of_what_is_above(path: Path) -> None:
    above = next((above for below, above in BELOW.items() if _name(path).startswith(below)), ())
    assert [name for name in _imports(path) if above and name.startswith(above)] == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_imported_for_types_only(path: Path) -> None:
    assert "typing.TYPE_CHECKING" not in set(_imports(path))
