"""Which command may follow which: read off a graph of the source, so that how the source is cut up does not matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

BEGINS, COMPLETES, FAILS, ANSWERED = "begins", "completes", "fails", "answered"
_ENDS = (COMPLETES, FAILS, ANSWERED, "continues as new")
_BEGINNINGS = (BEGINS, "on signal ", "on update ")
_LANDMARKS = ("activity ", "child ", "signal ", "patched ", *_BEGINNINGS, *_ENDS)
Successions = dict[str, set[tuple[str, str]]]


@dataclass
class Graph:
    """Points in the source, what may come after each, and the command that is given at some."""

    after: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[int, str] = field(default_factory=dict)
    _points: int = 0

    def point(self, *before: int, label: str = "") -> int:
        """Return a new point that comes after each of ``before``."""
        self._points += 1
        if label:
            self.labels[self._points] = label
        for one in before:
            self.join(one, self._points)
        return self._points

    def join(self, before: int, then: int) -> None:
        """Let ``then`` come after ``before``."""
        if then not in self.after[before]:
            self.after[before].append(then)

    def is_reached(self, point: int, since: int = 0) -> bool:
        """Whether something that was made after ``since`` leads to ``point``."""
        return any(point in then for before, then in self.after.items() if before > since)

    def is_beginning(self, point: int) -> bool:
        """Whether something begins here: the run, or the answer to what it is sent."""
        return self.labels.get(point, "").startswith(_BEGINNINGS)

    def commands_after(self, points: Iterable[int]) -> set[int]:
        """Return the commands that may come next."""
        found: set[int] = set()
        seen: set[int] = set()
        todo = [one for point in points for one in self.after[point]]
        while todo:
            if (point := todo.pop()) in seen:
                continue
            seen.add(point)
            if point in self.labels:
                found.add(point)
            else:
                todo += self.after[point]
        return found

    def successions(self) -> Successions:
        """Return landmark → (the small command that came last since then, or nothing; what may come next).

        That a run fails is left out: it may do so after every command.
        """
        found: Successions = defaultdict(set)
        for start in self._reached():
            if is_landmark(label := self.labels.get(start, "")) and label not in _ENDS:
                found[label] |= self._next_of(start)
        return {label: then for label, then in found.items() if then != {("", ANSWERED)}}

    def _reached(self) -> set[int]:
        reached: set[int] = set()
        todo = [point for point in self.labels if self.is_beginning(point)]
        while todo:
            if (point := todo.pop()) not in reached:
                reached.add(point)
                todo += self.after[point]
        return reached

    def _next_of(self, start: int) -> set[tuple[str, str]]:
        """Walk on from ``start`` to the next landmarks."""
        found: set[tuple[str, str]] = set()
        seen: set[tuple[int, str]] = set()
        todo = [(one, "") for one in self.after[start]]
        while todo:
            point, last = todo.pop()
            if (point, last) in seen:
                continue
            seen.add((point, last))
            if (label := self.labels.get(point, "")) and label != FAILS:
                found.add((last, label))
            if not is_landmark(label):
                todo += [(one, label or last) for one in self.after[point]]
        return found


def is_landmark(label: str) -> bool:
    """Whether ``label`` is a command by which one finds one's way; timers, labels and cancels are small."""
    return label.startswith(_LANDMARKS)
