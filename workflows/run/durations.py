"""Durations as people type them: ``2h``, ``1d12h``, ``90m``. ISO 8601 (``PT2H``) is read by pydantic itself."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_TYPED = re.compile(r"(?:(?P<days>\d+)d)?(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?")


def as_typed(value: object) -> object:
    """Return the duration that ``value`` spells, or ``value`` itself for pydantic to judge."""
    found = _TYPED.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    parts = {unit: int(number) for unit, number in found.groupdict().items() if number} if found else {}
    try:
        return timedelta(**parts) if parts else value
    except OverflowError:
        return value


Duration = Annotated[timedelta, BeforeValidator(as_typed)]
