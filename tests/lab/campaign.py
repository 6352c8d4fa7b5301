"""What the long campaign has found, case by case: kept as JSON, shown as a table, so that it may be run in slices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
_KEPT, _SHOWN = _FOLDER / "matrix.json", _FOLDER / "matrix.md"
_LEGEND = (
    "How the run ended, what settled it where it could not, and how long all took. In every case no acknowledged row was"
    " lost, never two servers took writes, and the cluster was whole again by itself. `-`: not run yet."
)


def keep(mode: str, step: str, fault: str, words: str) -> None:
    """Write down how one case went, and show all of them anew."""
    found = json.loads(_KEPT.read_text(encoding="utf-8")) if _KEPT.exists() else {}
    found.setdefault(mode, {}).setdefault(step, {})[fault] = {"at": f"{datetime.now(UTC):%Y-%m-%d}", "ended": words}
    _KEPT.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _SHOWN.write_text(_table(found), encoding="utf-8")


def _table(found: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    cases = [case for steps in found.values() for faults in steps.values() for case in faults.values()]
    days = sorted({case["at"] for case in cases})
    lines = ["# Every step with every fault on the lab", "", f"{len(cases)} cases, {' to '.join(days)}. {_LEGEND}"]
    for mode, steps in sorted(found.items()):
        faults = sorted({fault for row in steps.values() for fault in row})
        lines += ["", f"## {mode}", "", "| after step | " + " | ".join(faults) + " |", "|---|" + "---|" * len(faults)]
        for step, row in steps.items():
            cells = (row[fault]["ended"] if fault in row else "-" for fault in faults)
            lines.append(f"| `{step}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
