"""Reads the estate file and says what is wrong with it in one sentence: file, line, key, remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from estate.base import EstateError
from estate.model import Estate

_MERGE = "tag:yaml.org,2002:merge"


def load_estate(path: Path) -> Estate:
    """Return the estate in ``path``.

    Raises:
        EstateError: the file is missing, is not YAML, or does not fit the model; names file, line and key.

    """
    return parse_estate(path, estate_text(path))


def estate_text(path: Path) -> str:
    """Return what is in the file. EstateError: it is missing, or no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EstateError(f"estate {path}: cannot be read: {reason}; set FAILOVER_ESTATE to your estate file") from error


def parse_estate(path: Path, text: str) -> Estate:
    """Return the estate that ``text`` is; ``path`` is named in errors. EstateError: as ``load_estate``."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EstateError(f"estate {path}{_where(error)}: not valid YAML; correct that line") from error
    if not isinstance(content, dict):
        raise EstateError(f"estate {path}: expected a mapping with the keys {', '.join(Estate.model_fields)}")
    if (twice := next(_given_twice(tree), None)) is not None:
        raise EstateError(f"estate {path}: {twice}; YAML would silently take the last one; keep one of them")
    try:
        return Estate.model_validate(content)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what helps.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise EstateError(f"estate {path}: {_sentence(faults[0], tree)}{more}") from error


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark is not None else ""


def _sentence(fault: Any, tree: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails and YAML's nodes
    location = [str(part) for part in fault["loc"] if part != "[key]"]
    key = ".".join(location) or "the file"
    line = _line_of(tree, location)
    where = f"line {line}: {key}" if line else key
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key; remove it or correct its spelling"
    if fault["type"] == "missing":
        return f"{where}: missing; add it"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"


def _given_twice(tree: Any, way: str = "", seen: frozenset[int] = frozenset()) -> Iterator[str]:  # noqa: ANN401
    """Yield a sentence for each key that stands twice in one mapping. ``seen``: nodes above, which an alias may name."""
    if id(tree) in seen:
        return
    seen |= {id(tree)}
    if isinstance(tree, yaml.SequenceNode):
        for number, value in enumerate(tree.value):
            yield from _given_twice(value, f"{way}{number}.", seen)
    if not isinstance(tree, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in tree.value:
        line = key.start_mark.line + 1
        if key.value in lines and key.tag != _MERGE:
            yield f"line {line}: {way}{key.value} is given twice, first in line {lines[key.value]}"
        lines[key.value] = line
        yield from _given_twice(value, f"{way}{key.value}.", seen)


def _line_of(tree: Any, location: list[str]) -> int | None:  # noqa: ANN401
    """Return the line of the innermost node on the way to ``location`` that is in the file."""
    line = None
    for part in location:
        if isinstance(tree, yaml.MappingNode):
            found = next(((key, value) for key, value in tree.value if key.value == part), None)
            if found is None:
                return line
            line, tree = found[0].start_mark.line + 1, found[1]
        elif isinstance(tree, yaml.SequenceNode) and part.isdigit() and int(part) < len(tree.value):
            tree = tree.value[int(part)]
            line = tree.start_mark.line + 1
    return line
