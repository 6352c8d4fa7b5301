"""Who may have a say, by the roles that the estate gives to people. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from estate.base import Target, fold, holders
from workflows.run.models import named


def must_be_one_of(roles: Iterable[str], by: str, target: Target, to: str) -> None:
    """Return if ``by`` has one of ``roles``; where there are none, if the estate knows ``by``, or names nobody.

    Raises:
        ValueError: not so; the message says who can do ``to``.

    """
    people, roles = target.people, tuple(roles)
    if any(fold(by) == fold(name) for role in roles for name in holders(people, role)):
        return
    if not roles and (not people or target.knows(by)):
        return
    told = "; ".join(named(role, holders(people, role)) for role in roles) or ", ".join(sorted(people))
    message = f"by: {by} cannot {to}; who can: {told}"
    raise ValueError(message)
