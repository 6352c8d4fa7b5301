"""Says how large histories are, what the steps were told included: ``python -m tests.replay.sizes`` (all) or with names.

The runs are made anew and written to a temporary folder, with nothing left out; the kept histories stay as they are.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.replay.record import ALL, as_text, recordings


async def measure(names: list[str]) -> None:
    """Record the runs called ``names`` and print the size of each, the largest last."""
    with tempfile.TemporaryDirectory(prefix="failover-sizes-") as folder:
        async for name, ending, events in recordings(names):
            (Path(folder) / f"{name}.json").write_text(as_text(events), encoding="utf-8")
            sys.stderr.write(f"{name}: {ending}\n")
        sys.stdout.writelines(_lines(Path(folder)))


def _lines(folder: Path) -> list[str]:
    sizes = sorted((path.stat().st_size, path.stem) for path in folder.iterdir())
    return [f"{size:>9} {name}\n" for size, name in sizes]


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1:] or sorted(ALL)))
    sys.stdout.flush()
    os._exit(0)
