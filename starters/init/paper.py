"""The estate as text: keys, values, and beside each a comment that says from what it was seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from starters.init.guesses import Guess
from starters.init.questions import printable

_COLUMN, _LONGEST, _EVER = 58, 118, 1 << 20


@dataclass(frozen=True)
class Entry:
    """One key, and its value or what stands under it."""

    key: str
    value: object = None
    comment: str = ""
    under: Sequence[Entry] = ()


def of(key: str, guess: Guess) -> list[Entry]:
    """Return a key with what was guessed or answered; nothing where there is no value."""
    if guess.value is None or guess.value == "":
        return []
    value = guess.value if isinstance(guess.value, str) else list(guess.value)
    return [Entry(key, value, guess.source)]


def text_of(entries: Sequence[Entry], head: Sequence[str], foot: Sequence[str]) -> str:
    """Return the file."""
    blocks = ["\n".join(_lines(one, "")) for one in entries]
    return "\n\n".join(part for part in (_said(head), *blocks, _said(foot)) if part) + "\n"


def _said(sentences: Sequence[str]) -> str:
    return "\n".join(f"# {printable(one)}" for one in sentences)


def _lines(entry: Entry, indent: str) -> Iterator[str]:
    comment = printable(entry.comment)
    written = f"{indent}{flow(entry.key)}:{'' if entry.under else f' {flow(entry.value)}'}"
    beside = f"{written:<{_COLUMN}}  # {comment}"
    if comment and len(beside) > _LONGEST:
        yield f"{indent}# {comment}"
        yield written
    else:
        yield beside if comment else written
    for one in entry.under:
        yield from _lines(one, f"{indent}  ")


def flow(value: object) -> str:
    """Return a value in one line of YAML."""
    plain = dict(value) if isinstance(value, Mapping) else value
    text = yaml.safe_dump(plain, default_flow_style=True, width=_EVER, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
