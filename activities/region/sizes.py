"""What the name of a size tells: ``Standard_D4ds_v5`` has 4 cores and is of the family ``standardDDSv5Family``. Pure."""

from __future__ import annotations

import re

_SIZE = re.compile(r"Standard_(?P<series>[A-Za-z]+?)(?P<cores>\d+)(?P<features>[a-z]*)(_(?P<version>v\d+))?", re.IGNORECASE)


def family_of(size: str) -> str:
    """Return the family as quotas name it; empty: the name tells none."""
    found = _SIZE.fullmatch(size)
    if found is None:
        return ""
    return f"standard{found['series'].upper()}{found['features'].upper()}{(found['version'] or '').lower()}Family"


def cores_of(size: str) -> int | None:
    """Return the number of cores; ``None``: the name tells none."""
    found = _SIZE.fullmatch(size)
    return int(found["cores"]) if found else None
