"""What several witnesses amount to. Pure.

A subject is down when a majority of *all* witnesses says so, and well when a majority of all says so. Those who are silent,
or say that they cannot see, say neither: a watch that has lost half of its witnesses starts nothing, and withdraws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from activities.detection.models import Condition, Finding, Sighting
from activities.run.models.lease import Unrenewed


@dataclass(frozen=True)
class Verdict:
    """A subject that a majority has found gone."""

    subject: str
    since: datetime | None
    """When the first of them began to see it."""
    words: str
    condition: Condition = Condition.SILENT
    """As the first of them sees it."""
    advice: str = ""
    """What a person is to do about it: no failover helps."""
    unrenewed: Unrenewed | None = None
    """The longest that one of them has seen the Lease unchanged."""


class Votes:
    """The last word of each witness."""

    def __init__(
        self,
        witnesses: tuple[str, ...],
        earlier: tuple[Sighting, ...] = (),
        silent_since: Mapping[str, datetime] | None = None,
    ) -> None:
        """Wait for the first words of ``witnesses``, who go on from what they said in an ``earlier`` history."""
        self._words: dict[str, Sighting | str] = dict.fromkeys(witnesses, "has not spoken yet")
        self._silent_since = {name: at for name, at in (silent_since or {}).items() if name in self._words}
        self._last = {said.witness: said for said in earlier if said.witness in self._words}

    @property
    def majority(self) -> int:
        """How many must agree."""
        return len(self._words) // 2 + 1

    @property
    def last(self) -> tuple[Sighting, ...]:
        """What each witness said last, silent ones included."""
        return tuple(self._last.values())

    def told(self, witness: str) -> tuple[Sighting | None, bool]:
        """Return from what a witness goes on, and whether that is heard: a silent one goes on as if it had been blind."""
        word, last = self._words[witness], self._last.get(witness)
        if isinstance(word, Sighting):
            return word, True
        return last.model_copy(update={"blind": last.blind or word}) if last else None, False

    def count(self, said: Sighting) -> None:
        """Take a witness's word in place of its last one."""
        self._words[said.witness] = self._last[said.witness] = said
        self._silent_since.pop(said.witness, None)

    def silence(self, witness: str, why: str, now: datetime) -> None:
        """Let a witness's last word be no vote from ``now`` on: nobody knows what it sees."""
        self._words[witness] = why
        self._silent_since.setdefault(witness, now)

    @property
    def silent_since(self) -> dict[str, datetime]:
        """Since when witnesses are silent, as far as that is known."""
        return dict(self._silent_since)

    def is_well(self, subject: str) -> bool:
        """Whether a majority says that ``subject`` is well."""
        return sum(isinstance(word, Sighting) and word.says_well(subject) for word in self._words.values()) >= self.majority

    @property
    def seeing(self) -> int:
        """How many see."""
        return sum(isinstance(word, Sighting) and not word.blind for word in self._words.values())

    def leaving(self) -> tuple[str, ...]:
        """Return who is asked to end and waits to be relieved, as a majority says, sorted."""
        said = [name for word in self._words.values() if isinstance(word, Sighting) for name in word.leaving]
        return tuple(sorted({name for name in said if said.count(name) >= self.majority}))

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what a majority finds gone, sorted."""
        heard: dict[str, list[Finding]] = {}
        for word in self._words.values():
            for finding in word.findings if isinstance(word, Sighting) and not word.blind else ():
                heard.setdefault(finding.subject, []).append(finding)
        return tuple(
            Verdict(
                subject=subject,
                since=min((one.since for one in found if one.since), default=None),
                words=f"{subject} {_conditions(found)}, say {len(found)} of {len(self._words)} witnesses: {found[0].words}",
                condition=found[0].condition,
                advice=found[0].advice,
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


_CONDITIONS = {
    Condition.STOPPED: "is down",
    Condition.REFUSED: "refuses connections",
    Condition.SILENT: "does not answer",
    Condition.RETURNED: "is out of service and healthy",
}


def _conditions(found: list[Finding]) -> str:
    return " or ".join(words for one, words in _CONDITIONS.items() if one in {finding.condition for finding in found})


def _words_of(word: Sighting | str) -> str:
    if isinstance(word, str):
        return word
    if word.blind:
        return f"cannot see: {word.blind}"
    lines = [f"{one.subject} {_CONDITIONS[one.condition]}: {one.words}" for one in word.findings]
    lines += [f"{name} is asked to end, and waits until another one takes over" for name in word.leaving]
    lines += [f"{one.subject} is up again, for too short a time to be called well" for one in word.recovering]
    lines += [f"{name} is in trouble, for too short a time to be called down" for name in word.undecided]
    return "; ".join(lines) or "healthy"
