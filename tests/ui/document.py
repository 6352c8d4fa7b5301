"""The blocks of the document that a person pastes."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/temporal-ui.md"
_BLOCK = re.compile(r"^```json\n(.+?)\n```$", re.MULTILINE | re.DOTALL)

START, UPDATE, SIGNAL, DRILL, WORD = _BLOCK.findall(_PAGE.read_text(encoding="utf-8"))
"""In their order there. ``DIGEST`` stands for the plan's."""
