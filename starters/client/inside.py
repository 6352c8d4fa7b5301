"""Reads the histories of a run's child workflows, so that its report can tell their share from the steps they took."""

from __future__ import annotations

import asyncio

from temporalio.client import Client

from starters.client.answers import CommandError
from starters.client.server import read_run
from starters.client.targets import Place
from starters.history.parse import Chronicle, Step

_DEEPEST = 4
"""A region's failover waits for a database's, and nothing here goes deeper than three."""


async def read_children(client: Client, chronicle: Chronicle, depth: int = 1) -> None:
    """Fill in what is inside the child workflows of ``chronicle``; what the server has forgotten stays unknown."""
    children = [step for step in chronicle.steps.values() if step.child is not None]
    if depth < _DEEPEST:
        await asyncio.gather(*(_read(client, step, depth) for step in children))


async def _read(client: Client, step: Step, depth: int) -> None:
    if step.child is None:
        return
    try:
        step.inside = await read_run(client, Place(*step.child))
    except CommandError:
        return
    await read_children(client, step.inside, depth + 1)
