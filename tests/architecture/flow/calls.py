"""What a call calls, and what it is given."""

from __future__ import annotations

import ast
import types
from dataclasses import fields, is_dataclass
from typing import Any

from tests.architecture.flow.names import UNKNOWN, Argument, Routine, Scope, routine_of


def source_of(found: Any) -> Routine | None:
    """Return what is followed when ``found`` is called."""
    if isinstance(found, Routine):
        return found
    if isinstance(found, type):
        made_by = "__post_init__" if is_dataclass(found) else "__init__"
        return routine_of(getattr(found, made_by, None), found)
    return routine_of(found) if isinstance(found, types.FunctionType) else None


def arguments(call: ast.Call, found: Any, routine: Routine | None) -> list[tuple[str, ast.expr]]:
    """Return (parameter, value) of a call; nobody's parameter where the function is not known."""
    names = [one.arg for one in (*routine.body.args.posonlyargs, *routine.body.args.args)] if routine else []
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    if is_dataclass(found):
        names = [one.name for one in fields(found)]
    positional = [(names[place] if place < len(names) else "", value) for place, value in enumerate(call.args)]
    return positional + [((keyword.arg or "") if names else "", keyword.value) for keyword in call.keywords]


def is_for_later(value: ast.expr, scope: Scope) -> bool:
    """Whether ``value`` is a function, or a call that does nothing before it is awaited."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Call):
        routine = source_of(scope.resolve(value.func))
        return routine is not None and isinstance(routine.body, ast.AsyncFunctionDef)
    found = scope.resolve(value) if isinstance(value, ast.Name | ast.Attribute) else UNKNOWN
    return isinstance(found, Argument | Routine) or (not isinstance(found, type) and source_of(found) is not None)


def last_names(caught: ast.expr) -> set[str]:
    """Return the names of the exceptions of an ``except``, without where they come from."""
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return {
        part.attr if isinstance(part, ast.Attribute) else part.id
        for part in parts
        if isinstance(part, ast.Attribute | ast.Name)
    }
