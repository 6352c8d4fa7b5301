"""What ``failover lab status`` says of two regions: parts, customers, databases, memory; and how a shell speaks to them."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import psycopg

from deploy.lab.memory import memory_of
from deploy.lab.regions.scene import Stage

_JUST_NOW_SECONDS = 3.0


def environment_of(stage: Stage) -> dict[str, str]:
    """Return the variables with which ``failover`` finds these regions: those that a worker is told."""
    return dict(stage.told)


async def facts_of(stage: Stage) -> dict[str, Any]:
    """Return what can be seen now; for JSON."""
    return {
        "parts": await stage.parts(),
        "customers": await _customers(stage),
        "leader": await stage.leader(),
        "promotions": stage.promotions(),
        "memory_bytes": await asyncio.to_thread(memory_of, os.getpid()),
        "environment": environment_of(stage),
        "ui": f"http://{stage.temporal.page}",
        "edge": stage.edge.url,
    }


async def _customers(stage: Stage) -> dict[str, Any]:
    """Return how the customer is served: ``missing`` counts acknowledged workflows; ``None`` if no database says."""
    customer, now = stage.customer, time.monotonic()
    last = customer.acknowledged[-1] if customer.acknowledged else None
    served = last is not None and now - last.at < _JUST_NOW_SECONDS
    try:
        missing, seconds = await stage.missing()
    except (psycopg.Error, OSError):
        missing, seconds = None, None
    return {
        "served_from": last.region if served and last else "",
        "acknowledged": len(customer.acknowledged),
        "refused": customer.refused,
        "missing": missing,
        "missing_seconds": seconds,
        "longest_gap_seconds": customer.longest_gap(),
    }
