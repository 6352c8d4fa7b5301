"""Microsoft's own examples and recordings, which lie beside the checkout, and how an answer is compared with one.

They are not in the repository: ``FAILOVER_AZURE_EXAMPLES`` names their folder, else it is ``shared/azure-examples`` beside
the checkout or beside a folder above it. Without them these tests are skipped, and say so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _folder() -> Path | None:
    named = [Path(os.environ["FAILOVER_AZURE_EXAMPLES"])] if "FAILOVER_AZURE_EXAMPLES" in os.environ else []
    beside = [parent / "shared" / "azure-examples" for parent in Path(__file__).resolve().parents]
    return next((one for one in [*named, *beside] if (one / "postgresql-2025-08-01").is_dir()), None)


FOLDER = _folder()
needed = pytest.mark.skipif(FOLDER is None, reason="NOT CHECKED against Azure's examples: set FAILOVER_AZURE_EXAMPLES")
OFFICIAL = sorted(FOLDER.glob("postgresql-*/*.json")) if FOLDER else []


def recorded(name: str) -> Any:
    assert FOLDER
    return read(FOLDER / "cli-recordings-distilled" / f"{name}.json")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def shape(body: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Return every place in a body, and the JSON type of what is there. Numbers are numbers; tags are anybody's."""
    kind = "number" if isinstance(body, int | float) and not isinstance(body, bool) else type(body).__name__
    yield place, kind
    if isinstance(body, dict) and not place.endswith(".tags"):
        for key, value in body.items():
            yield from shape(value, f"{place}.{key}")
    if isinstance(body, list) and body:
        yield from shape(body[0], f"{place}[]")
