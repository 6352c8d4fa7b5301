"""Follows the source from a workflow's ``run``: every function that it calls is followed where it is called.

What cannot be known without running it is taken both ways: a branch is taken and not taken, a loop goes round and does not,
whatever is awaited succeeds and fails. A function that is handed on is followed where it is called; where that is not seen,
it may be called at once or not at all.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any

from temporalio import workflow

from tests.architecture.flow import commands
from tests.architecture.flow.calls import arguments, is_for_later, source_of
from tests.architecture.flow.graph import ANSWERED, BEGINS, COMPLETES, FAILS, Graph
from tests.architecture.flow.names import (
    UNKNOWN,
    Argument,
    Instance,
    Routine,
    Scope,
    attribute,
    kept_by,
    methods_called,
    overrides,
    routine_of,
)
from tests.architecture.flow.statements import Exits, Statements

_CONTINUES = "continues as new"


def graph_of(owner: type) -> Graph:
    """Return everything that a run of the workflow ``owner`` can do, by itself and when it is sent something."""
    graph, definition = Graph(), workflow._Definition.must_from_class(owner)
    ends, follower = graph.point(label=FAILS), Follower(graph)
    at = graph.point(label=BEGINS)
    for function in (owner.__init__, definition.run_fn):  # type: ignore[misc]
        if routine := routine_of(function, owner):
            at = follower.routine(routine, {}, at, ends)
    graph.point(at, label=COMPLETES)
    for kind, handlers in (("signal", definition.signals), ("update", definition.updates)):
        for name, handler in handlers.items():
            if routine := routine_of(handler.fn, owner):
                begins = graph.point(label=f"on {kind} {name}")
                graph.point(follower.routine(routine, {}, begins, ends), label=ANSWERED)
    return graph


class Follower(Statements):
    """Adds what it follows to one graph."""

    def __init__(self, graph: Graph) -> None:
        """Begin with nothing under way."""
        super().__init__(graph)
        self._under_way: list[tuple[Any, ...]] = []
        self._choice: tuple[int, int] = (0, 0)
        """Where the last function that was only mentioned begins and ends: one beside it is its alternative."""
        self._kept: dict[tuple[type | None, str], Argument] = {}
        """Functions that an object was given when it was made, by its class and attribute."""

    def routine(self, routine: Routine, given: dict[str, Argument], at: int, failing: int) -> int:
        """Follow a function of the product; return where its caller goes on."""
        if routine.key in self._under_way:
            return at
        self._under_way.append(routine.key)
        scope, body = Scope(routine, given), routine.body
        returning = self._graph.point()
        if isinstance(body, ast.Lambda):
            end = self.expression(body.body, scope, at, Exits(failing))
        else:
            end = self.block(body.body, scope, at, Exits(failing, returning))
        self._graph.join(end, returning)
        for own, name in kept_by(routine):
            if name in given:
                self._kept[routine.owner, own] = given[name]
        for name in sorted(given.keys() - scope.used):  # kept for later, or called where that is not seen
            returning = self._mentioned(given[name], returning, failing)
        self._under_way.pop()
        return returning

    def leaving(self, context: ast.expr, scope: Scope, at: int, failing: int) -> int:
        """Follow what a context manager of the product does when it is left."""
        found = attribute(scope.resolve(context), "__aexit__")
        return self.routine(found, {}, at, failing) if isinstance(found, Routine) else at

    def expression(self, expression: ast.expr, scope: Scope, at: int, exits: Exits) -> int:
        """Follow what is called in ``expression``, in the order of evaluation."""
        if isinstance(expression, ast.Name | ast.Attribute | ast.Lambda):
            return self._mentioned(scope.resolve(expression), at, exits.failing)
        follow: dict[type[ast.expr], Callable[..., int]] = {
            ast.Call: self._call, ast.IfExp: self._either, ast.BoolOp: self._as_far_as_needed,
            ast.ListComp: self._comprehension, ast.SetComp: self._comprehension, ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
        }  # fmt: skip
        if type(expression) in follow:
            return follow[type(expression)](expression, scope, at, exits)
        for part in ast.iter_child_nodes(expression):
            if isinstance(part, ast.expr):
                at = self.expression(part, scope, at, exits)
        if isinstance(expression, ast.Await) and not self._is_followed(expression.value, scope):
            self._graph.join(at, exits.failing)
        return at

    def _is_followed(self, awaited: ast.expr, scope: Scope) -> bool:
        """Whether what is awaited fails only where something in it does."""
        if isinstance(awaited, ast.Call):
            return source_of(self._called(awaited, scope)) is not None
        return isinstance(awaited, ast.Name) and isinstance(scope.resolve(awaited), Argument)

    def _either(self, expression: ast.IfExp, scope: Scope, at: int, exits: Exits) -> int:
        at = self.expression(expression.test, scope, at, exits)
        ways = (expression.body, expression.orelse)
        return self._graph.point(*(self.expression(way, scope, self._graph.point(at), exits) for way in ways))

    def _as_far_as_needed(self, expression: ast.BoolOp, scope: Scope, at: int, exits: Exits) -> int:
        ends = []
        for value in expression.values:
            at = self.expression(value, scope, at, exits)
            ends.append(at)
        return self._graph.point(*ends)

    def _comprehension(self, made: ast.expr, scope: Scope, at: int, exits: Exits) -> int:
        again = self._graph.point(at)
        at = again
        for part in ast.iter_child_nodes(made):
            inner = (
                [part]
                if isinstance(part, ast.expr)
                else [part.iter, *part.ifs]
                if isinstance(part, ast.comprehension)
                else []
            )
            for one in inner:
                at = self.expression(one, scope, at, exits)
        self._graph.join(at, again)
        return self._graph.point(again)

    def _call(self, call: ast.Call, scope: Scope, at: int, exits: Exits) -> int:
        found = self._called(call, scope)
        routine = source_of(found)
        if isinstance(call.func, ast.Attribute):
            at = self.expression(call.func.value, scope, at, exits)
        elif not isinstance(call.func, ast.Name | ast.Lambda):
            at = self.expression(call.func, scope, at, exits)
        given: dict[str, Argument] = {}
        for name, value in arguments(call, found, routine):
            if name and is_for_later(value, scope):
                given[name] = Argument(value, scope)
            else:
                at = self.expression(value, scope, at, exits)
        if is_dataclass(found) and isinstance(found, type):
            self._kept |= {(found, name): one for name, one in given.items()}
            given = {}
        if routine is not None:
            meant = overrides(routine) or [routine]
            return self._graph.point(*(self.routine(one, given, self._graph.point(at), exits.failing) for one in meant))
        label = commands.command_of(found, call) or commands.command_by_name(call) or commands.named_by(found)
        if label:
            return self._command(label, at, exits.failing)
        if found is UNKNOWN and isinstance(call.func, ast.Attribute):
            ways = [self.routine(one, {}, self._graph.point(at), exits.failing) for one in methods_called(call.func.attr)]
            return self._graph.point(at, *ways)
        return at

    def _called(self, call: ast.Call, scope: Scope) -> Any:
        found = scope.resolve(call.func)
        if found is UNKNOWN and isinstance(call.func, ast.Attribute):
            owner = scope.resolve(call.func.value)
            found = self._kept.get((owner.of, call.func.attr), UNKNOWN) if isinstance(owner, Instance) else UNKNOWN
        while isinstance(found, Argument):
            found = found.scope.resolve(found.expression)
        return found

    def _mentioned(self, found: Any, at: int, failing: int) -> int:
        """Follow what is named and not called: an activity that a command is for, work under way, a function for later."""
        if isinstance(found, Argument):
            if isinstance(found.expression, ast.Call):
                return self.expression(found.expression, found.scope, at, Exits(failing))
            return self._mentioned(found.scope.resolve(found.expression), at, failing)
        if label := commands.named_by(found):
            return self._command(label, at, failing)
        routine = None if isinstance(found, type) else source_of(found)
        if routine is None:
            return at
        begins, ends = self._choice if at == self._choice[1] else (at, self._graph.point(at))
        self._graph.join(self.routine(routine, {}, self._graph.point(begins), failing), ends)
        self._choice = (begins, ends)
        return ends

    def _command(self, label: str, at: int, failing: int) -> int:
        given = self._graph.point(at, label=label)
        if label == commands.OPTIONAL:
            return self._graph.point(at, given)
        if label == _CONTINUES:
            return self._graph.point()
        self._graph.join(given, failing)
        return given
