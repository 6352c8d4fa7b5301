"""Where the source goes on after each kind of statement."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.architecture.flow.calls import last_names
from tests.architecture.flow.graph import Graph
from tests.architecture.flow.names import Scope

_CATCHES_ALL = ({"BaseException"}, {"CancelledError", "Exception"}, {"CancelledError", "FailureError"})


@dataclass(frozen=True)
class Exits:
    """Where the source goes on when it does not go on with the next line."""

    failing: int
    returning: int = 0
    breaking: int = 0
    continuing: int = 0


class Statements(ABC):
    """Adds statements to a graph; what stands in them is its heirs' to follow."""

    def __init__(self, graph: Graph) -> None:
        """Begin with nothing followed."""
        self._graph = graph

    @abstractmethod
    def expression(self, expression: ast.expr, scope: Scope, at: int, exits: Exits) -> int:
        """Follow what is called in ``expression``."""

    @abstractmethod
    def leaving(self, context: ast.expr, scope: Scope, at: int, failing: int) -> int:
        """Follow what a context manager does when it is left."""

    def block(self, statements: Sequence[ast.stmt], scope: Scope, at: int, exits: Exits) -> int:
        """Follow one statement after the other."""
        for statement in statements:
            at = self.statement(statement, scope, at, exits)
        return at

    def statement(self, statement: ast.stmt, scope: Scope, at: int, exits: Exits) -> int:
        """Follow a statement; return where the next one begins."""
        follow: dict[type[ast.stmt], Callable[..., int]] = {
            ast.If: self._if, ast.For: self._for, ast.AsyncFor: self._for, ast.While: self._while, ast.Try: self._try,
            ast.With: self._with, ast.AsyncWith: self._with, ast.Match: self._match,
        }  # fmt: skip
        if type(statement) in follow:
            return follow[type(statement)](statement, scope, at, exits)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return at
        for part in ast.iter_child_nodes(statement):
            if isinstance(part, ast.expr):
                at = self.expression(part, scope, at, exits)
        goes_to = {
            ast.Return: exits.returning, ast.Raise: exits.failing, ast.Break: exits.breaking, ast.Continue: exits.continuing,
        }.get(type(statement))  # fmt: skip
        if goes_to is None:
            return at
        self._graph.join(at, goes_to)
        return self._graph.point()  # nothing leads here

    def _if(self, statement: ast.If, scope: Scope, at: int, exits: Exits) -> int:
        at = self.expression(statement.test, scope, at, exits)
        ways = [self.block(way, scope, self._graph.point(at), exits) for way in (statement.body, statement.orelse)]
        return self._graph.point(*ways)

    def _match(self, statement: ast.Match, scope: Scope, at: int, exits: Exits) -> int:
        at = self.expression(statement.subject, scope, at, exits)
        return self._graph.point(at, *(self.block(one.body, scope, self._graph.point(at), exits) for one in statement.cases))

    def _for(self, statement: ast.For, scope: Scope, at: int, exits: Exits) -> int:
        at = self._graph.point(self.expression(statement.iter, scope, at, exits))
        return self._loop(statement, scope, at, at, exits, ends=True)

    def _while(self, statement: ast.While, scope: Scope, at: int, exits: Exits) -> int:
        again = self._graph.point(at)
        at = self.expression(statement.test, scope, again, exits)
        endless = isinstance(statement.test, ast.Constant) and bool(statement.test.value)
        return self._loop(statement, scope, again, at, exits, ends=not endless)

    def _loop(self, statement: ast.For | ast.While, scope: Scope, again: int, at: int, exits: Exits, *, ends: bool) -> int:  # noqa: PLR0913
        after = self._graph.point()
        if ends:
            self._graph.join(self.block(statement.orelse, scope, at, exits), after)
        inside = replace(exits, breaking=after, continuing=again)
        self._graph.join(self.block(statement.body, scope, self._graph.point(at), inside), again)
        return after

    def _with(self, statement: ast.With, scope: Scope, at: int, exits: Exits) -> int:
        after, inside = self._graph.point(), exits
        for item in statement.items:
            at = self.expression(item.context_expr, scope, at, exits)
            call = item.context_expr
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("suppress"):
                inside = replace(inside, failing=self._graph.point())
                self._graph.join(inside.failing, after)
                continue
            failed = self._graph.point()
            self._graph.join(self.leaving(call, scope, failed, inside.failing), inside.failing)
            inside = replace(inside, failing=failed)
        at = self.block(statement.body, scope, at, inside)
        for item in reversed(statement.items):
            at = self.leaving(item.context_expr, scope, at, exits.failing)
        self._graph.join(at, after)
        return after

    def _try(self, statement: ast.Try, scope: Scope, at: int, exits: Exits) -> int:
        if statement.finalbody:
            return self._finally(statement, scope, at, exits)
        failed = self._graph.point()
        end = self.block(statement.body, scope, at, replace(exits, failing=failed))
        ends = [self.block(statement.orelse, scope, end, exits)]
        caught: set[str] = set()
        for handler in statement.handlers:
            caught |= {"BaseException"} if handler.type is None else last_names(handler.type)
            ends.append(self.block(handler.body, scope, self._graph.point(failed), exits))
        if not any(all_of_it <= caught for all_of_it in _CATCHES_ALL):
            self._graph.join(failed, exits.failing)
        return self._graph.point(*ends)

    def _finally(self, statement: ast.Try, scope: Scope, at: int, exits: Exits) -> int:
        """Follow ``finally`` once for every way out of what stands before it."""
        ways = {name: self._graph.point() for name, goes_to in vars(exits).items() if goes_to}
        inner = ast.Try(statement.body, statement.handlers, statement.orelse, [])
        end = self._try(inner, scope, at, Exits(**ways))
        for name, way in ways.items():
            if self._graph.is_reached(way):
                self._graph.join(self.block(statement.finalbody, scope, way, exits), getattr(exits, name))
        return self.block(statement.finalbody, scope, end, exits)
