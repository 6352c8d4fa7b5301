"""What a name in the source stands for: looked up in the imported modules, in annotations, and in what is assigned."""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.architecture.registered import classes

Body = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
UNKNOWN = object()
_OURS = ("workflows.", "tests.architecture.samples.")


@dataclass(frozen=True)
class Instance:
    """Some object of a class."""

    of: type


@dataclass(frozen=True, eq=False)
class Routine:
    """A function of the product, a method of ``owner``, or one that is written inside another (``outer``)."""

    body: Body
    names: dict[str, Any]
    owner: type | None = None
    outer: Scope | None = None
    hints: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, type | None]:
        """Tell it from others."""
        return id(self.body), self.owner


@dataclass(frozen=True, eq=False)
class Argument:
    """What a caller gives: a call that is awaited later, or something to be called."""

    expression: ast.expr
    scope: Scope


@dataclass(eq=False)
class Scope:
    """Where a name is looked up, while ``routine`` is followed."""

    routine: Routine
    given: dict[str, Argument] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    """Names that are being looked up: one that is assigned from itself is nothing that is known."""

    def resolve(self, expression: ast.expr) -> Any:
        """Return what ``expression`` stands for: an object, a Routine, an Instance, an Argument; or UNKNOWN."""
        match expression:
            case ast.Name():
                return self._named(expression.id)
            case ast.Attribute():
                return attribute(self.resolve(expression.value), expression.attr)
            case ast.Await():
                return self.resolve(expression.value)
            case ast.Call():
                return _result(self.resolve(expression.func))
            case ast.Lambda():
                return Routine(expression, self.routine.names, self.routine.owner, self)
        return UNKNOWN

    def _named(self, name: str) -> Any:
        routine = self.routine
        if name in self.given:
            self.used.add(name)
            return self.given[name]
        parameters = [one.arg for one in (*routine.body.args.posonlyargs, *routine.body.args.args)]
        if routine.owner is not None and parameters[:1] == [name] and name in ("self", "cls"):
            return Instance(routine.owner)
        if name in routine.hints:
            return _some(routine.hints[name])
        if name not in self.asked:
            self.asked.add(name)
            found = self._assigned(name)
            self.asked.discard(name)
            if found is not UNKNOWN:
                return found
        if routine.outer is not None:
            return routine.outer.resolve(ast.Name(name))
        return routine.names.get(name, getattr(builtins, name, UNKNOWN))

    def _assigned(self, name: str) -> Any:
        match _assignments(self.routine.body).get(name):
            case ast.FunctionDef() | ast.AsyncFunctionDef() as part:
                return Routine(part, self.routine.names, self.routine.owner, self)
            case ast.Assign() as part:
                return self.resolve(part.value)
            case ast.withitem() as part:
                return self.resolve(part.context_expr)
        return UNKNOWN


@functools.cache
def _assignments(body: Body) -> dict[str, ast.AST]:
    """Return name → what gives it its first meaning in ``body``."""
    found: dict[str, ast.AST] = {}
    for part in _statements(body):
        for name in _names_of(part):
            found.setdefault(name, part)
    return found


@functools.cache
def _statements(body: Body) -> list[ast.AST]:
    return [] if isinstance(body, ast.Lambda) else [part for one in body.body for part in ast.walk(one)]


def _names_of(part: ast.AST) -> list[str]:
    match part:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [part.name]
        case ast.Assign():
            return [one.id for one in part.targets if isinstance(one, ast.Name)]
        case ast.withitem(optional_vars=ast.Name(id=name)):
            return [name]
    return []


def attribute(base: Any, name: str) -> Any:
    """Return what the attribute ``name`` of ``base`` stands for."""
    if isinstance(base, Instance):
        found = inspect.getattr_static(base.of, name, UNKNOWN)
        if isinstance(found, types.FunctionType):
            return routine_of(found, base.of) or found
        if isinstance(found, classmethod | staticmethod):
            return routine_of(found.__func__, base.of) or UNKNOWN
        if isinstance(found, property):
            return _some(_hints(found.fget).get("return"))
        return _attributes(base.of).get(name, found if not isinstance(found, types.MemberDescriptorType) else UNKNOWN)
    if base is UNKNOWN or isinstance(base, Routine | Argument):
        return UNKNOWN
    return getattr(base, name, UNKNOWN)


def _attributes(owner: type) -> dict[str, Any]:
    """Return what the attributes of an ``owner`` are, as annotated or as first assigned."""
    if owner not in _KNOWN:
        found = _KNOWN[owner] = {}  # one that is assigned from itself is not known yet
        for kind in reversed(owner.__mro__):
            found |= {name: _some(hint) for name, hint in _hints(kind).items() if _some(hint) is not UNKNOWN}
            for method in vars(kind).values():
                if routine := routine_of(method, owner) if isinstance(method, types.FunctionType) else None:
                    _assigned_in(routine, found)
    return _KNOWN[owner]


_KNOWN: dict[type, dict[str, Any]] = {}


def _assigned_in(method: Routine, found: dict[str, Any]) -> None:
    for name, expression in _own_attributes(method):
        if name not in found and isinstance(value := Scope(method).resolve(expression), Instance):
            found[name] = value


def _own_attributes(method: Routine) -> Iterator[tuple[str, ast.expr]]:
    """Yield (attribute, value) of every ``self.attribute = value``, also where several are assigned side by side."""
    assigned = [part for part in _statements(method.body) if isinstance(part, ast.Assign)]
    for target, value in [(target, part.value) for part in assigned for target in part.targets]:
        row = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            row = list(zip(target.elts, value.elts, strict=False))
        for one, its in row:
            if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self":
                yield one.attr, its


def kept_by(method: Routine) -> Iterator[tuple[str, str]]:
    """Yield (attribute, parameter) of every parameter that is kept as it is."""
    return ((name, value.id) for name, value in _own_attributes(method) if isinstance(value, ast.Name))


def _result(function: Any) -> Any:
    if isinstance(function, type):
        return Instance(function)
    if isinstance(function, Routine):
        return _some(function.hints.get("return"))
    return _some(_hints(function).get("return")) if callable(function) else UNKNOWN


def _some(hint: Any) -> Any:
    """Return an object of the type ``hint``, which may be optional."""
    options = [one for one in typing.get_args(hint) if one is not type(None)] if _is_union(hint) else [hint]
    only = options[0] if len(options) == 1 else None
    only = typing.get_origin(only) or only
    return Instance(only) if isinstance(only, type) and only not in (type(None), Callable) else UNKNOWN


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


@functools.cache
def _hints(owner: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(owner)
    except (TypeError, NameError, AttributeError):
        return {}


@functools.cache
def routine_of(function: Any, owner: type | None = None) -> Routine | None:
    """Return the source of ``function``, if it is one of the workflows' own."""
    function = inspect.unwrap(function) if callable(function) else None
    if not isinstance(function, types.FunctionType) or not f"{function.__module__}.".startswith(_OURS):
        return None
    body = _bodies(function.__module__).get((function.__code__.co_firstlineno, function.__name__))
    return Routine(body, function.__globals__, owner, hints=_hints(function)) if body else None


@functools.cache
def _bodies(module: str) -> dict[tuple[int, str], Body]:
    found: dict[tuple[int, str], Body] = {}
    for part in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            found[min([part.lineno, *(one.lineno for one in part.decorator_list)]), part.name] = part
        elif isinstance(part, ast.Lambda):
            found[part.lineno, "<lambda>"] = part
    return found


def overrides(method: Routine) -> list[Routine]:
    """Return what an abstract method may be: that of each class which has one; empty when it is not abstract."""
    owner, name = method.owner, getattr(method.body, "name", "")
    if owner is None or not getattr(inspect.getattr_static(owner, name, None), "__isabstractmethod__", False):
        return []
    kinds, found = [owner], list[Routine]()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        own = vars(kind).get(name)
        if not getattr(own, "__isabstractmethod__", False) and (routine := routine_of(own, kind)):
            found.append(routine)
    return sorted(found, key=lambda one: str(one.owner))


@functools.cache
def methods_called(name: str) -> list[Routine]:
    """Return every method of that name: what is meant where nobody knows whose it is."""
    owners = [owner for owner in classes("workflows") if isinstance(vars(owner).get(name), types.FunctionType)]
    return [found for owner in owners if (found := routine_of(vars(owner)[name], owner))]
