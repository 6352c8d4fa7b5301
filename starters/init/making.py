"""From a reader of the cluster to the text of an estate that the product itself accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from estate.loader import parse_estate
from starters.init.deciding import Decided, decide
from starters.init.guesses import Guess
from starters.init.paper import text_of
from starters.init.questions import Asker, Question, one_of
from starters.init.seen import Reader, Seen, candidates, look

_SHOWN = 10


class NothingError(Exception):
    """There is nothing to write an estate of; one sentence."""


class UnansweredError(Exception):
    """Questions are open; ``args`` has key and question of each."""

    def __init__(self, questions: dict[str, str]) -> None:
        """Keep the questions."""
        super().__init__(", ".join(questions))
        self.questions = questions


@dataclass(frozen=True)
class Made:
    """What would be written."""

    text: str
    decided: Decided
    seen: Seen


def make(reader: Reader, namespaces: Sequence[str], asker: Asker, out: Path) -> Made:
    """Return the estate of one namespace.

    Raises:
        NothingError: no namespace holds anything.
        UnansweredError: questions are open.
        EstateError: the answers make no estate.
        ValueError, NoInputError: as ``Asker.ask``.
        ForbiddenError, UnreachableError: as ``Reader``.

    """
    seen = look(reader, _namespace(reader, namespaces, asker))
    decided = decide(seen, reader.context, asker)
    if asker.open:
        raise UnansweredError(asker.open)
    sections = {one.key for one in decided.entries}
    if not sections & {"postgres", "redis", "workloads", "node_pools"}:
        message = (
            f"namespace {seen.namespace} of context {reader.context} shows nothing that could be moved: nothing is written"
        )
        raise NothingError(message)
    head = [
        f"Made by failover init from namespace {seen.namespace} of context {reader.context}; a comment says from what.",
        "Keys that are not here have their defaults: docs/install.md, step 4.",
    ]
    text = text_of(decided.entries, head, [*(f"not seen: {one}" for one in seen.refused), *decided.notes])
    parse_estate(out, text)
    return Made(text, decided, seen)


def _namespace(reader: Reader, named: Sequence[str], asker: Asker) -> str:
    found = candidates(reader, named)
    if not any(found.values()):
        where = f"namespace {', '.join(named)}" if named else "no namespace but the cluster's own"
        words = "has no StatefulSet and no Deployment" if named else "has a StatefulSet or a Deployment"
        hint = "; is its name right?" if named else ""
        message = f"{where} of context {reader.context} {words}: there is nothing to write an estate of{hint}"
        raise NothingError(message)
    if len(found) == 1:
        return next(iter(found))
    ranked = sorted(found, key=lambda one: (-found[one], one))
    shown = ", ".join(f"{one} ({found[one]})" for one in ranked[:_SHOWN])
    more = f" and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
    words = "Which namespace holds the platform?"
    why = "An inventory describes one namespace: a node's leaders are those of its own. Others get a file of their own."
    source = f"StatefulSets and Deployments: {shown}{more}"
    answer = asker.ask(Question("namespace", words, why, one_of(tuple(ranked))), Guess(ranked[0], source))
    if not isinstance(answer.value, str):
        raise UnansweredError(asker.open)
    return answer.value
