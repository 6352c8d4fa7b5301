"""Small files that a server reads."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> bool:
    """Put ``text`` there, whole or not at all; return whether it was another. A full disk matters only then."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    scratch = path.with_name(f"{path.name}.new")
    scratch.touch(mode=0o600)
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return True
