"""One figure for all the sequences of commands that a graph allows: the smallest automaton that allows the same ones.

What may follow what does not tell a cancel that is missing on one of two ways apart from one that is on both; this does.
"""

from __future__ import annotations

import hashlib

from tests.architecture.flow.graph import Graph

_Automaton = list[dict[str, int]]
"""State → command → the state after it; state 0 is the beginning."""


def shape_of(graph: Graph) -> str:
    """Return the same figure for every graph that allows the same sequences."""
    rows = _smallest(_automaton(graph))
    return hashlib.sha256(repr([sorted(row.items()) for row in rows]).encode()).hexdigest()[:12]


def _automaton(graph: Graph) -> _Automaton:
    """Return the states as sets of the points where one may be after the same commands."""
    begins = frozenset(point for point in graph.labels if graph.is_beginning(point))
    states, rows, todo = {frozenset({0}): 0}, [{}], [(frozenset({0}), begins)]  # type: ignore[var-annotated]
    while todo:
        state, following = todo.pop()
        for label in {graph.labels[point] for point in following}:
            then = frozenset(point for point in following if graph.labels[point] == label)
            if then not in states:
                states[then] = len(rows)
                rows.append({})
                todo.append((then, frozenset(graph.commands_after(then))))
            rows[states[state]][label] = states[then]
    return rows


def _smallest(rows: _Automaton) -> _Automaton:
    """Return ``rows`` with equal states as one, numbered by the order in which they are met."""
    kinds = [0] * len(rows)
    while True:
        kept = [
            (kinds[state], *sorted((label, kinds[then]) for label, then in row.items())) for state, row in enumerate(rows)
        ]
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kept))}
        if len(numbers) == len(set(kinds)):
            break
        kinds = [numbers[kind] for kind in kept]
    order = {kinds[0]: 0}
    todo, found = [0], []
    for state in todo:
        for _, then in sorted(rows[state].items()):
            if kinds[then] not in order:
                order[kinds[then]] = len(order)
                todo.append(then)
        found.append({label: order[kinds[then]] for label, then in sorted(rows[state].items())})
    return found
