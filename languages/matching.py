"""Translate a finished English text by the message that it was made from.

Most of what a report says was written by a workflow or a step into a history, in English, with its names and numbers already
filled in. So a text is matched against the catalogue's messages, in which ``{0}``, ``{1}`` stand for what was filled in; the
values are put into the translation, and are translated first where they are texts of the catalogue themselves.

A line may hold several messages, joined by commas, colons or brackets. All ways to cut it at these are compared, and the one
with the most translated letters is taken. What no message fits stays as it is: names, numbers, commands, people's own words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

PLACE = re.compile(r"\{(\d+)(?::asis)?\}")
"""A value's place. ``{0:asis}`` in a translation: the value may be a person's own words, see ``Translator.words``."""
_JOINT = re.compile(r"(\n\s*|; |: |, | — | → |[.] |[.:]$|[()])")
_JOINTS = {"; ": "；", ": ": "：", ", ": "，", ". ": "。", ".": "。", ":": "：", "(": "（", ")": "）"}  # noqa: RUF001
_EDGES = " \t,;:."
_WORD = re.compile(r"[a-z]{2,}", re.IGNORECASE)
_WIDE = r"[\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]"
_GAP = re.compile(rf"(?<={_WIDE}) +(?={_WIDE})|(?<=[\u3000-\u303f\uff01-\uff5e]) +| +(?=[\u3001\u3002\uff01-\uff5e])")
_HAS_WIDE = re.compile(_WIDE)
_QUANTITY = re.compile(r"(\d[\d.,]*) (ms|s|min|h)(?![A-Za-z])")
_VALUE = r"(\d[\d.,]* (?:ms|s|min|h)\b(?: [\d.]+ (?:s|min)\b)?|.*?)"
_BLANK = re.escape(" ")
_OWN_WORDS = 10
"""What may be a person's words is taken for a message only if the message itself has so many letters."""
_UNITS = {"ms": "毫秒", "s": "秒", "min": "分", "h": "小時"}
_COUNTED, _TIMED = (
    re.compile(r"(?P<number>\d+) (?P<words>[A-Za-z].*)"),
    re.compile(r"(?P<words>.*[A-Za-z]) (?P<number>\+?\d[\d., a-z]*(?:ms|s|min|h))"),
)
_SHORT = ((4, 3), (8, 6))
"""A message of fewer letters than the first takes only values of at most so many words: it would fit anything."""
_MOST, _SPAN = 60, 12
"""Joints of a line, one with more is cut first; and joints inside one message, unless it is the line as a whole.

So the time for a line grows with its length, not with its square.
"""


@dataclass(frozen=True)
class _Message:
    """One message of the catalogue, ready to be compared."""

    message: str
    translation: str
    letters: int
    weight: int
    """Letters, and some for each joint: how sure it is that a text that fits was made from this message."""
    places: tuple[str, ...]

    def values(self, text: str) -> dict[str, str] | None:
        """Return what stands at the places of ``text``; ``None``: it is another message."""
        found = self._pattern.fullmatch(text)
        if found is None:
            return None
        most = next((words for letters, words in _SHORT if self.weight < letters), None)
        if most and any(len(one.split()) > most for one in found.groups("")):
            return None
        return dict(zip(self.places, found.groups(""), strict=True))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Made when it is first asked for: a report needs some hundred of thousands, and making all takes a second."""
        parts = PLACE.split(self.message)
        pattern = "".join(_VALUE if at % 2 else re.escape(part) for at, part in enumerate(parts))
        if len(parts) > 2 and not parts[-1] and parts[-3].endswith(" "):  # noqa: PLR2004 - it ends in a value after a blank
            pattern = f"{pattern.removesuffix(_VALUE).removesuffix(_BLANK)}(?: {_VALUE})?"
        return re.compile(pattern, re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class _Told:
    text: str
    letters: int
    """Letters of English that were translated."""
    sure: int = 0
    """Of two ways with as many letters the one is better that takes its joints from a message, or from nobody's value."""

    @property
    def rank(self) -> tuple[int, int]:
        """What the better of two ways has more of."""
        return self.letters, self.sure


class Translator:
    """Translates texts by one catalogue. Texts that were seen before are remembered."""

    def __init__(self, catalogue: dict[str, str]) -> None:
        """Take messages with their translations; an empty translation is none."""
        self._by_word: dict[str, list[_Message]] = {}
        for message, translation in catalogue.items():
            if translation:
                self._by_word.setdefault(_rarest(message), []).append(_ready(message, translation))
        self._best = lru_cache(maxsize=20_000)(self._best_of)
        self._piece = lru_cache(maxsize=20_000)(self._piece_of)

    def text(self, text: str) -> str:
        """Return ``text`` in the other language, as far as the catalogue has it; its lines and indents stay."""
        return "\n".join(self._line(line) for line in text.split("\n"))

    def words(self, text: str) -> str:
        """Return what may be a person's own words: translated only if all of it is one message of the product's own."""
        told = [told for one in self._candidates(text) if one.letters >= _OWN_WORDS and (told := self._filled(one, text))]
        return max(told, key=lambda one: one.letters).text if told else text

    def _line(self, line: str) -> str:
        inner = line.strip()
        if not _WORD.search(inner):
            return _QUANTITY.sub(_unit, line)
        indent, end = line[: len(line) - len(line.lstrip())], line[len(line.rstrip()) :]
        told = self._with_words(inner) or self._best(inner)
        return f"{indent}{_GAP.sub('', told.text)}{end}"

    def _with_words(self, line: str) -> _Told | None:
        """Return a line that ends in a person's words: it is not cut, since what they wrote may hold anything."""
        ours = (one for one in self._candidates(line) if one.translation.endswith(":asis}"))
        return next((told for one in ours if (told := self._filled(one, line)) is not None), None)

    def _best_of(self, text: str) -> _Told:
        cuts = _JOINT.split(text)
        if len(cuts) > 2 * _MOST + 1:
            at = next((one for one in range(2 * _MOST - 1, 0, -2) if cuts[one] == "; "), 2 * _MOST - 1)
            left, joint, right = "".join(cuts[:at]), cuts[at], "".join(cuts[at + 1 :])
            return _joined(self._best(left), joint, self._best(right))
        best: list[_Told] = []
        for end in range(0, len(cuts), 2):
            begins = {0} if end == len(cuts) - 1 else set()
            begins |= set(range(max(0, end - 2 * _SPAN), end + 1, 2))
            pieces = ((begin, self._piece("".join(cuts[begin : end + 1]))) for begin in sorted(begins))
            ways = [
                _joined(best[begin // 2 - 1], cuts[begin - 1], piece) if begin else piece
                for begin, piece in pieces
                if piece.letters or begin == end
            ]
            best.append(max(ways, key=lambda way: way.rank))
        return best[-1]

    def _piece_of(self, text: str) -> _Told:
        """Return ``text`` as one message; of no letters: it is none."""
        inner = text.strip(_EDGES)
        found = [told for one in self._candidates(inner) if (told := self._filled(one, inner)) is not None]
        if not found:
            return self._beside_a_number(text)
        best = max(found, key=lambda told: told.rank)
        begin = text[: len(text) - len(text.lstrip(_EDGES))]
        end = text[len(text.rstrip(_EDGES)) :]
        return _Told(f"{_JOINTS.get(begin, begin)}{best.text}{_JOINTS.get(end, end)}", best.letters, best.sure)

    def _beside_a_number(self, text: str) -> _Told:
        """Return a message with a number before it or a quantity after it; else ``text`` as it is, but for a quantity."""
        if _is_quantity(text):
            return _Told(_QUANTITY.sub(_unit, text), 0)
        for pattern in (_COUNTED, _TIMED):
            found = pattern.fullmatch(text)
            if found and (told := self._piece(found["words"])).letters:
                number = _QUANTITY.sub(_unit, found["number"])
                return _Told(
                    f"{number} {told.text}" if pattern is _COUNTED else f"{told.text} {number}", told.letters, told.sure
                )
        return _Told(text, 0)

    def _candidates(self, text: str) -> list[_Message]:
        words = {word.casefold() for word in _WORD.findall(text)} | {""}
        return [one for word in words for one in self._by_word.get(word, ())]

    def _filled(self, message: _Message, text: str) -> _Told | None:
        values = message.values(text)
        if values is None:
            return None
        told = {place: self._value(value, message, place) for place, value in values.items() if value != text}

        def put(place: re.Match[str]) -> str:
            return told[place[1]].text

        letters = message.letters + sum(one.letters for one in told.values())
        sure = message.weight + sum(one.sure for one in told.values())
        return _Told(PLACE.sub(put, message.translation), letters, sure)

    def _value(self, value: str, message: _Message, place: str) -> _Told:
        """Return a value in the other language; a person's words count as no letters, so they are kept short."""
        return _Told(self.words(value), 0) if f"{{{place}:asis}}" in message.translation else self._best(value)


def _ready(message: str, translation: str) -> _Message:
    literal = PLACE.sub("", message)
    places = tuple(PLACE.findall(message))
    letters = sum(map(len, _WORD.findall(literal)))
    weight = sum(map(str.isalpha, literal)) + 3 * len(_JOINT.findall(literal))
    return _Message(message, translation, letters, weight, places)


def _rarest(message: str) -> str:
    """Return the longest word that stands in the message itself, not cut by a value: by it the message is found."""
    whole = re.findall(r"(?<![a-z}])[a-z]{2,}(?![a-z{])", re.sub(r"\{\d+\}", "{}", message), re.IGNORECASE)
    return max(whole, key=len, default="").casefold()


def _joined(left: _Told, joint: str, right: _Told) -> _Told:
    wide = left.letters or right.letters or _HAS_WIDE.search(left.text) or _HAS_WIDE.search(right.text)
    wide = wide and not (joint == ". " and left.text[-1:].isdigit())  # the number of a list's line
    sure = left.sure + right.sure + (3 if wide else 0)
    return _Told(
        f"{left.text}{_JOINTS.get(joint, joint) if wide else joint}{right.text}", left.letters + right.letters, sure
    )


def _is_quantity(text: str) -> bool:
    return _QUANTITY.sub("", text).strip(f"{_EDGES}+") == ""


def _unit(found: re.Match[str]) -> str:
    return f"{found[1]} {_UNITS[found[2]]}"
