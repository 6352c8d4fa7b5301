"""Words as the Temporal UI shows them: its current details are Markdown, with typographic dashes and quotation marks.

Left alone, ``--by`` would become a dash and the quotation marks of JSON curly ones, and who copies that is refused. And what
people have typed as a reason must not look like what the run says, such as an approval.
"""

from __future__ import annotations

import re

_TYPED = re.compile(r"(\{[^{}]*\}|(?<![\w-])--[a-z][a-z-]*)")
"""What may be copied out of a sentence: JSON, and options of the command."""
_MARKS = re.compile(r"([\\`*_\[\]<>#|~])")


def plain(words: str) -> str:
    """Return Markdown, on one line, that shows ``words`` as they are; JSON and options as code."""
    parts = _TYPED.split(" ".join(words.split()))
    return "".join(_code(part) if place % 2 else _MARKS.sub(r"\\\1", part) for place, part in enumerate(parts))


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def to_paste(typed: str) -> str:
    """Return ``typed`` as a block of its own, which is not wrapped."""
    return f"```json\n{typed}\n```"
