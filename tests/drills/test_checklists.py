"""A drill's checklists hold it before it begins and before it is judged, and are kept in its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.drills.bench import drilling

LISTS = {
    "drills": {
        "procedures": ["failover-drill"],
        "before": [{"key": "told", "title": "Customers are told", "kind": "human"}],
        "after": [{"key": "alerts", "title": "No alert fires", "kind": "prometheus", "url": "http://127.0.0.1:9"}],
        "after_within": "PT1S",
    },
    "database": {
        "procedures": ["postgres-failover"],
        "before": [{"key": "backup", "title": "Backup", "kind": "postgres-backup", "query": "select now()"}],
    },
}


def _kept(folder: Path) -> dict[str, Any]:
    """Return the file of the only record."""
    (file,) = folder.rglob("checklists.json")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


async def test_a_drill_is_held_and_its_lists_are_in_its_record(temporal: Client, tmp_path: Path) -> None:
    async with drilling(temporal, tmp_path, checklists=LISTS) as bench:
        bench.world.looks.says = {"alerts": False, "backup": False}
        handle = await bench.start()
        await bench.bench.until_phase(handle, "awaiting the checklist")
        assert bench.world.record.epoch == 5
        await handle.execute_update("tick", {"by": "dana", "item": "told", "note": "mail of Monday"})
        await bench.judged(handle)
        await bench.is_as_before()
        assert "backup" not in bench.world.looks.looked, "what the drill begins has no lists of its own"
        kept = _kept(tmp_path)
        assert [(one["key"], one["state"], one["by"]) for one in kept["before"]] == [("told", "done", "dana")]
        assert [(one["key"], one["state"]) for one in kept["after"]] == [("alerts", "not done")]
        record = bench.details().record
        assert record is not None
        assert [gap for gap in record.gaps if gap.startswith("checklist: alerts")]
