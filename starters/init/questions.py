"""Questions for what a cluster does not show: asked on a terminal, or answered by a file, or by their defaults.

An answer is checked at once, whoever gives it. Without a terminal every question that nothing answers is collected; the
command then refuses with all of them, so that one edit of the answers file is enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO

from estate.base import MASTER_PATTERN, NAME_PATTERN
from starters.init.guesses import Guess, Value

Check = Callable[[str], Value]
NONE, YES, NO = "none", "yes", "no"
_LONGEST = 253


class NoInputError(Exception):
    """The terminal was closed."""


@dataclass(frozen=True)
class Question:
    """What one key asks."""

    key: str
    words: str
    why: str
    """What ``?`` shows."""
    check: Check
    """Returns the answer as the estate has it. ValueError: a sentence why it is none."""


@dataclass
class Asker:
    """Answers questions; remembers what was answered and what was not."""

    given: Mapping[str, str]
    """The answers file: key → what a person would type."""
    source: str
    """Its path, for sentences."""
    terminal: tuple[TextIO, TextIO] | None = None
    """Read from, written to; ``None``: nobody is there."""
    takes_defaults: bool = False
    answered: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    """Key → the question, with the default in brackets."""

    def ask(self, question: Question, guess: Guess) -> Guess:
        """Return the answer, as a guess that is certain; the guess itself, or an empty one, where nothing answers.

        Raises:
            ValueError: what the answers file says does not fit; names file and key.
            NoInputError: the terminal was closed.

        """
        if guess.sure and guess.value is not None:
            return guess
        text = self._text(question, guess)
        if text is None:
            default = f" [{guess.words}]" if guess.value is not None else ""
            self.open[question.key] = f"{question.words}{default}"
            return Guess((), sure=True) if guess.value is None else guess  # what else would be asked depends on it
        value, changed = question.check(text), text != guess.words
        self.answered[question.key] = text
        return Guess(value, "as answered" if changed else guess.source, sure=True)

    def _text(self, question: Question, guess: Guess) -> str | None:
        if question.key in self.given:
            return self._checked(question, self.given[question.key])
        if self.terminal is not None:
            return self._typed(question, guess, *self.terminal)
        if not self.takes_defaults or guess.value is None:
            return None
        try:
            question.check(guess.words)
        except ValueError:  # a default that does not fit the answers so far is none
            return None
        return guess.words

    def _checked(self, question: Question, text: str) -> str:
        try:
            question.check(text)
        except ValueError as error:
            message = f"{self.source}: {question.key}: {error}"
            raise ValueError(message) from None
        return text

    @staticmethod
    def _typed(question: Question, guess: Guess, reads: TextIO, writes: TextIO) -> str:
        default = f" [{guess.words}]" if guess.value is not None else ""
        if guess.source:
            writes.write(f"\nseen: {printable(guess.source)}\n")
        while True:
            writes.write(f"{printable(question.words)}{printable(default)} (? explains): ")
            writes.flush()
            line = reads.readline()
            if not line:
                raise NoInputError
            typed = line.strip() or guess.words
            if typed == "?":
                writes.write(f"{question.why}\n")
                continue
            try:
                if not typed:
                    message = "an answer is needed"
                    raise ValueError(message)  # noqa: TRY301 - said as any other that does not fit
                question.check(typed)
            except ValueError as error:
                writes.write(f"{printable(str(error))}\n")
                continue
            return typed


def printable(text: str) -> str:
    """Return ``text`` in one line without control characters: what a cluster holds is not trusted."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))


def name(text: str) -> str:
    """Return a name as Kubernetes has them. ValueError: it is none."""
    if len(text) > _LONGEST or not re.fullmatch(NAME_PATTERN, text):
        message = f"{text[:60]!r} is no name: small letters, digits, - and ., at most {_LONGEST} of them"
        raise ValueError(message)
    return text


def master(text: str) -> str:
    """Return a Sentinel's name of a master. ValueError: it is none."""
    if len(text) > _LONGEST or not re.fullmatch(MASTER_PATTERN, text):
        message = f"{text[:60]!r} is no name of a master: letters, digits, -, _ and ."
        raise ValueError(message)
    return text


def line(text: str) -> str:
    """Return a text of one line. ValueError: it is empty, or has control characters."""
    if not text.strip() or not text.isprintable():
        message = "one line of printable text is needed"
        raise ValueError(message)
    return text.strip()


def reference(text: str) -> str:
    """Return where a secret is. ValueError: it is no reference."""
    scheme, _, rest = text.partition(":")
    if scheme not in {"env", "file"} or not rest or not text.isprintable():
        message = "a reference is needed, env:NAME or file:PATH; never the secret itself"
        raise ValueError(message)
    return text


def yes_or_no(text: str) -> str:
    """Return ``yes`` or ``no``. ValueError: it is neither."""
    folded = text.strip().casefold()
    if folded not in {"y", YES, "n", NO}:
        message = f"{text[:60]!r}: yes or no is needed"
        raise ValueError(message)
    return YES if folded in {"y", YES} else NO


def or_none(check: Check) -> Check:
    """Return a check that takes ``none`` as well."""
    return lambda text: () if text == NONE else check(text)


def several(check: Check, *, among: tuple[str, ...] = ()) -> Check:
    """Return a check of a list: names with commas between, or ``none``. ``among``: there are no others."""

    def checked(text: str) -> Value:
        parts = [] if text == NONE else [part for part in re.split(r"[,\s]+", text) if part]
        for part in parts:
            check(part)
            if among and part not in among:
                message = f"{part!r} is none of {', '.join(among)}"
                raise ValueError(message)
        return tuple(dict.fromkeys(parts))

    return checked


def one_of(among: tuple[str, ...]) -> Check:
    """Return a check of a choice."""

    def checked(text: str) -> Value:
        if text not in among:
            message = f"{text[:60]!r} is none of {', '.join(among)}"
            raise ValueError(message)
        return text

    return checked


def people(text: str) -> dict[str, tuple[str, ...]]:
    """Return person → roles: ``dana=DBA, mona=Manager+CTO``, or ``none``. ValueError: it is not written so."""
    found: dict[str, tuple[str, ...]] = {}
    for part in [] if text == NONE else text.split(","):
        who, _, roles = (piece.strip() for piece in part.partition("="))
        held = tuple(role.strip() for role in roles.split("+") if role.strip())
        if not who or not held or not part.isprintable():
            message = f"{part.strip()[:60]!r}: write NAME=ROLE, with + between two roles and a comma between two people"
            raise ValueError(message)
        if who in found:
            message = f"{who[:60]!r} is named twice; write NAME=ROLE+ROLE"
            raise ValueError(message)
        found[who] = held
    return found


def people_who_hold(needed: tuple[str, ...]) -> Check:
    """Return a check of ``people`` in which each role of ``needed`` is held."""

    def checked(text: str) -> Value:
        held = {role for roles in people(text).values() for role in roles}
        if missing := [role for role in needed if role not in held]:
            message = f"nobody holds {', '.join(missing)}, whose approval you have asked for"
            raise ValueError(message)
        return text

    return checked
