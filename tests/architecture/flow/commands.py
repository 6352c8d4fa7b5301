"""Which calls give the server a command. What a replay compares is their order."""

from __future__ import annotations

import ast
import asyncio
import functools
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from types import FunctionType
from typing import Any

from temporalio import activity, workflow

_PLAIN: dict[Any, str] = {
    workflow.sleep: "timer",
    asyncio.sleep: "timer",
    asyncio.timeout: "timer",
    asyncio.timeout_at: "timer",
    asyncio.wait_for: "timer",
    workflow.upsert_search_attributes: "search attributes",
    workflow.upsert_memo: "memo",
    workflow.continue_as_new: "continues as new",
}
_CHILDREN = (workflow.start_child_workflow, workflow.execute_child_workflow)
_ASKS = (
    workflow.execute_activity, workflow.execute_activity_method, workflow.execute_activity_class,
    workflow.start_activity, workflow.start_activity_method, workflow.start_activity_class,
    workflow.execute_local_activity, workflow.execute_local_activity_method, workflow.execute_local_activity_class,
    workflow.start_local_activity, workflow.start_local_activity_method, workflow.start_local_activity_class,
)  # fmt: skip
OPTIONAL = "timer while waiting"
"""Given only where what is waited for is not so already."""


def command_of(function: Any, call: ast.Call) -> str:  # noqa: PLR0911
    """Return the command that a call of ``function`` gives; empty for none. An activity's is where the activity is named."""
    if not callable(function) or not isinstance(function, Hashable):
        return ""
    if function in _PLAIN:
        return _PLAIN[function]
    if function is workflow.wait_condition:
        given = {keyword.arg: keyword.value for keyword in call.keywords}.get("timeout")
        return "" if given is None or (isinstance(given, ast.Constant) and given.value is None) else OPTIONAL
    if function in _CHILDREN:
        return f"child {_text(call) or '(named at run time)'}"
    if function in (workflow.patched, workflow.deprecate_patch):
        return f"patched {_text(call) or '(named at run time)'}"
    if function in _ASKS and _text(call):
        return f"activity {_text(call)}"
    return ""


def command_by_name(call: ast.Call) -> str:
    """Return the command of a method of what nobody knows the type of: handles of steps and of other runs."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method == "cancel":
        return "cancel"
    return f"signal {_text(call)}" if method == "signal" and _text(call) else ""


def named_by(found: Any) -> str:
    """Return the command that an activity stands for wherever it is named, also inside a table's entry or a partial call."""
    if isinstance(found, functools.partial):
        return named_by(found.func)
    if is_dataclass(found) and not isinstance(found, type):
        return next((label for one in fields(found) if (label := named_by(getattr(found, one.name, None)))), "")
    definition = activity._Definition.from_callable(found) if isinstance(found, FunctionType) else None
    return f"activity {definition.name}" if definition else ""


def _text(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
