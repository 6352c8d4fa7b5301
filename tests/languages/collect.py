"""Bring a catalogue to what the source says: ``python -m tests.languages.collect``. Translations that still fit are kept.

A new message stands there without translation, one that is no longer in the source is taken out; both are printed.
"""

from __future__ import annotations

import json
from pathlib import Path

from languages.catalogue import LANGUAGES, path_of, read
from tests.languages.sources import messages

_HERE = Path(__file__).parent


def listed(name: str) -> set[str]:
    """Return the lines of one of the lists beside this file.

    ``words``: single words and parts of sentences that people read; the source has too many names to find them among all.
    ``older``: sentences of earlier versions, and of Kubernetes, that kept histories hold.
    ``english``: messages that stay English: names, what programs print, and what only an editor of the estate file reads.
    """
    return set(filter(None, (_HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()))


def wanted() -> dict[str, set[str]]:
    """Return every message of the catalogue with the files that it stands in; none for one that is listed."""
    found = messages() | {one: set() for one in listed("words") | listed("older")}
    return {message: places for message, places in found.items() if message not in listed("english")}


def write(path: Path, header: str, entries: dict[str, str]) -> None:
    """Write a catalogue, in the order of files, so that a reviewer sees a procedure's texts together."""
    places = wanted()
    order = sorted(entries, key=lambda message: (sorted(places.get(message, ())) or ["~"], message))
    parts = [header.rstrip("\n")]
    for message in order:
        where = sorted(places.get(message, ()))
        told = f"#: {where[0]}\n" if where else ""
        parts.append(f"{told}msgid {_quoted(message)}\nmsgstr {_quoted(entries[message])}")
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def main() -> None:
    """Update all catalogues."""
    places = wanted()
    for language in LANGUAGES:
        path = path_of(language)
        text = path.read_text(encoding="utf-8")
        before = read(text)
        for message in sorted(places.keys() - before.keys()):
            print(f"new: {message}")
        for message in sorted(before.keys() - places.keys()):
            print(f"gone: {message}")
        write(path, text.split("\n\n", 1)[0], {message: before.get(message, "") for message in places})


if __name__ == "__main__":
    main()
