"""Which priorities change so that one lever comes before all others that are enabled. Pure.

The lowest priority gets the traffic. One change that moves the traffic is better than several: there is no moment between.
So the lever takes a free priority before the others where there is one; otherwise the others move behind it, the last first,
so that no third one gets the traffic meanwhile. No two ever have the same priority: Traffic Manager refuses that.
"""

from __future__ import annotations

from collections.abc import Sequence

from activities.run.errors import Refusal, refuse
from activities.traffic.models import Change, LeverFact, Setting, Side

_LAST = {Side.TRAFFIC_MANAGER: 1000, Side.FRONT_DOOR: 5}
"""Highest priority that Azure takes."""


def to_come_first(levers: Sequence[LeverFact], wanted: LeverFact) -> tuple[Change, ...]:
    """Return the changes, in their order; none when it comes first already.

    Raises:
        ApplicationError: ``NoRoom``, there are too few priorities.

    """
    others = [one for one in levers if one is not wanted]
    ahead = [one for one in others if one.setting.enabled and _priority(one) <= _priority(wanted)]
    if not ahead:
        return () if wanted.setting.enabled else (_to(wanted, _priority(wanted)),)
    taken = {_priority(one) for one in others}
    first = min(_priority(one) for one in others if one.setting.enabled)
    before = [number for number in range(1, first) if number not in taken]
    if before:
        return (_to(wanted, before[-1]),)
    last = _LAST[wanted.lever.side]
    free = [number for number in range(1, last + 1) if number not in taken]
    for own in [_priority(wanted), *free]:
        behind = sorted((one for one in others if one.setting.enabled and _priority(one) <= own), key=_priority)
        room = [number for number in free if number > own][: len(behind)]
        if own not in taken and len(room) == len(behind):
            placed = () if own == _priority(wanted) and wanted.setting.enabled else (_to(wanted, own),)
            return (*placed, *(_to(one, number) for one, number in reversed(list(zip(behind, room, strict=True)))))
    raise refuse(Refusal.NO_ROOM, f"{wanted.lever.side} has no free priority up to {last} for {wanted.name}: free one first")


def _to(lever: LeverFact, priority: int) -> Change:
    """Return its change; it is enabled afterwards."""
    return Change(
        lever=lever.lever, name=lever.name, kind=lever.kind, before=lever.setting,
        after=Setting(priority=priority), rest=lever.rest,
    )  # fmt: skip


def _priority(lever: LeverFact) -> int:
    """Return its priority; one without counts as Azure's default, the first."""
    return lever.setting.priority or 1
