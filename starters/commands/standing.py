"""Which clusters take writes, for ``status``: a worker looks, briefly. Who does not answer is unknown, never fine."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text
from temporalio.client import Client

from activities.run.models.doctor import Standing
from starters.client.answers import CommandError
from starters.client.runs import LOOK_WITHIN_SECONDS, brief_look
from starters.render.tables import Rows


@dataclass(frozen=True)
class Standings:
    """What a worker has seen."""

    clusters: tuple[Standing, ...] = ()
    unknown: str = ""
    """Why nobody knows; empty: somebody has looked."""

    @property
    def down(self) -> tuple[Standing, ...]:
        """Those that take no writes."""
        return tuple(one for one in self.clusters if one.takes_writes is False)


async def standings(client: Client, *, served: bool) -> Standings:
    """Return how every cluster stands. Waits for three seconds at most: ``status`` must be quick when all else is slow."""
    if not served:
        return Standings(unknown="no worker is there to look")
    try:
        return Standings((await brief_look(client)).clusters)
    except TimeoutError:
        return Standings(unknown=f"no worker has answered within {LOOK_WITHIN_SECONDS:g} s")
    except CommandError as error:
        return Standings(unknown=str(error))


def standings_view(found: Standings) -> list[RenderableType]:
    """Return what is down first, then a line a cluster."""
    if found.unknown:
        return [Text(f"whether the clusters take writes is unknown: {found.unknown}", style="yellow"), Text()]
    if not found.clusters:
        return []
    table = Rows("cluster", "leader", "takes writes", "redundant", indent=0)
    for one in found.clusters:
        table.add_row(one.name, one.leader or "unknown", _said(one.takes_writes), _said(one.redundant))
    return [*_alarms(found), table, *_notes(found), Text()]


def _alarms(found: Standings) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for one in found.down:
        lines += [Text(f"{one.name}: WRITES ARE DOWN: {one.message}", style="bold red"), *_remedy(one)]
    return lines


def _notes(found: Standings) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for one in found.clusters:
        if one.message and one.takes_writes is not False:
            lines += [Text(f"{one.name}: {one.message}", style="yellow"), *_remedy(one)]
    return lines


def _remedy(one: Standing) -> list[RenderableType]:
    return [Text(f"  → {one.remedy}")] if one.remedy else []


def _said(known: bool | None) -> Text:  # noqa: FBT001 - an answer
    return Text({True: "yes", False: "NO", None: "unknown"}[known], style="" if known else "yellow")
