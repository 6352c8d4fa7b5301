"""What several witnesses amount to. Pure.

A subject is gone when a majority of *all* witnesses says so: those who are silent, or say that they cannot see, are counted
as if they saw it well. So a watch that has lost half of its witnesses starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.detection.models import Finding, Sighting
from activities.run.models.lease import Unrenewed


@dataclass(frozen=True)
class Verdict:
    """A subject that a majority has found gone."""

    subject: str
    since: datetime | None
    """When the first of them began to see it."""
    words: str
    unrenewed: Unrenewed | None = None
    """The longest that one of them has seen the Lease unchanged."""


class Votes:
    """The last word of each witness."""

    def __init__(self, witnesses: tuple[str, ...]) -> None:
        """Wait for the first words of ``witnesses``."""
        self._words: dict[str, Sighting | str] = dict.fromkeys(witnesses, "has not spoken yet")

    @property
    def majority(self) -> int:
        """How many must agree."""
        return len(self._words) // 2 + 1

    def of(self, witness: str) -> Sighting | None:
        """Return what a witness said last; ``None`` while it is silent."""
        word = self._words[witness]
        return word if isinstance(word, Sighting) else None

    def count(self, said: Sighting) -> None:
        """Take a witness's word in place of its last one."""
        self._words[said.witness] = said

    def silence(self, witness: str, why: str) -> None:
        """Forget a witness's last word: nobody knows what it sees now."""
        self._words[witness] = why

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what a majority finds gone, sorted."""
        heard: dict[str, list[Finding]] = {}
        for word in self._words.values():
            for finding in word.findings if isinstance(word, Sighting) else ():
                heard.setdefault(finding.subject, []).append(finding)
        return tuple(
            Verdict(
                subject=subject,
                since=min((one.since for one in found if one.since), default=None),
                words=f"{subject} is {_conditions(found)} to {len(found)} of {len(self._words)} witnesses: {found[0].words}",
                unrenewed=max((one.unrenewed for one in found if one.unrenewed), key=lambda one: one.seconds, default=None),
            )
            for subject, found in sorted(heard.items())
            if len(found) >= self.majority
        )

    def verdict_on(self, subject: str) -> Verdict | None:
        """Return the verdict on ``subject``; ``None`` when no majority finds it gone."""
        return next((one for one in self.verdicts() if one.subject == subject), None)

    def lines(self) -> list[str]:
        """Return a line a witness, for people."""
        return [f"{name}: {_words_of(word)}" for name, word in self._words.items()]

    def silent_lines(self) -> list[str]:
        """Return a line for each witness that does not speak, or cannot see."""
        away = {name: word for name, word in self._words.items() if isinstance(word, str) or word.blind}
        return [f"{name} {word if isinstance(word, str) else f'cannot see: {word.blind}'}" for name, word in away.items()]


def _conditions(found: list[Finding]) -> str:
    return " or ".join(sorted({finding.condition.value for finding in found}))


def _words_of(word: Sighting | str) -> str:
    if isinstance(word, str):
        return word
    if word.blind:
        return f"cannot see: {word.blind}"
    return "; ".join(f"{one.subject} {one.condition.value}: {one.words}" for one in word.findings) or "healthy"
