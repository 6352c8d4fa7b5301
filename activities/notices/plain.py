"""One line of plain text: what people typed, or a system said, must not forge a line or speak to a terminal."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that are not seen, break lines or change the order of others."""
_LONGEST = 200


def plain(text: str, longest: int = _LONGEST) -> str:
    """Return ``text`` as one line of visible characters, cut at ``longest``."""
    visible = "".join(" " if unicodedata.category(one) in _HIDDEN else one for one in text)
    line = " ".join(visible.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
