"""Runs that a checklist holds: before anything is changed, and after all has succeeded."""

from __future__ import annotations

from tests.postgres.bench import Bench, Handle

LISTS = {
    "database": {
        "procedures": ["postgres-failover"],
        "before": [
            {"key": "backup", "title": "Newest backup < 1 h", "kind": "postgres-backup", "query": "select now()"},
            {"key": "rollback", "title": "Rollback prepared", "kind": "human"},
        ],
        "after": [
            {"key": "alerts", "title": "No alert fires", "kind": "prometheus", "url": "http://127.0.0.1:9"},
            {"key": "post-mortem", "title": "Post-mortem updated", "kind": "human"},
        ],
    }
}


async def checked(bench: Bench) -> Handle:
    """Say one item before, and skip one afterwards."""
    handle = await bench.switch()
    await bench.until_phase(handle, "awaiting the checklist")
    await handle.execute_update("tick", {"by": "dana", "item": "rollback", "note": "page 7"})
    await bench.until_phase(handle, "awaiting the checklist after")
    await handle.execute_update("skip", {"by": "dana", "step": "checklist/post-mortem", "reason": "tomorrow"})
    return handle
