"""Read a gettext catalogue (``.po``) without a build step: the file that people review is the file that is used.

Only what our catalogues hold is understood: ``msgid``, ``msgstr``, strings that go on in the next line, and comments. Plural
forms and contexts are refused, so that a catalogue that needs them is not half read.
"""

from __future__ import annotations

import ast
from pathlib import Path

LANGUAGES = {"zh-TW": "zh_TW"}
"""Names as people type them, and the stem of each catalogue's file."""


class BrokenCatalogueError(ValueError):
    """A line of a catalogue that is not understood."""


def path_of(language: str) -> Path:
    """Return the catalogue's file."""
    return Path(__file__).parent / f"{LANGUAGES[language]}.po"


def read(text: str) -> dict[str, str]:
    """Return each message with its translation, empty where there is none yet. The header is left out.

    Raises:
        BrokenCatalogueError: a line is not understood, or a message stands there twice.

    """
    found: dict[str, str] = {}
    parts: dict[str, str] = {}
    current = ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        keyword, _, rest = line.partition(" ")
        if keyword in {"msgid", "msgstr"}:
            current, parts[keyword] = keyword, _string(rest, number)
        elif line.startswith('"') and current:
            parts[current] += _string(line, number)
        elif line and not line.startswith("#"):
            raise BrokenCatalogueError(f"line {number}: neither msgid, msgstr, a string, nor a comment")
        elif not line and parts:
            _keep(found, parts, number)
            current, parts = "", {}
    found.pop("", None)
    return found


def _keep(found: dict[str, str], parts: dict[str, str], number: int) -> None:
    if set(parts) != {"msgid", "msgstr"}:
        raise BrokenCatalogueError(f"line {number}: a message needs one msgid and one msgstr, and an empty line after them")
    if parts["msgid"] in found:
        raise BrokenCatalogueError(f"line {number}: the message {parts['msgid']!r} stands here for the second time")
    found[parts["msgid"]] = parts["msgstr"]


def _string(quoted: str, number: int) -> str:
    try:
        value = ast.literal_eval(quoted)
    except (SyntaxError, ValueError) as error:
        raise BrokenCatalogueError(f"line {number}: no string in double quotes") from error
    if not isinstance(value, str):
        raise BrokenCatalogueError(f"line {number}: no string in double quotes")
    return value
