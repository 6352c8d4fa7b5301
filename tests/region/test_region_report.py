"""What people read of a region's failover: its report, and its plan."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from activities.region.failover_models import Precondition, RegionDetails, Standing
from activities.run.models.report import Known
from starters.render.region_failover import region_tables
from tests.region.failover_bench import RegionFailoverBench

_COMMAND = [sys.executable, "-c", "from starters.main import main; main()", "report", "--format", "markdown", "--file"]


async def _report(bench: RegionFailoverBench) -> tuple[int, str]:
    """Return exit code and text of ``failover report``, rendered from the kept history alone."""
    paths = sorted((bench.folder / "records").rglob("history.json"), key=lambda path: path.stat().st_mtime)
    done = await asyncio.to_thread(subprocess.run, [*_COMMAND, str(paths[-1])], capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


async def test_the_report_has_the_loss_before_the_approval_beside_the_one_measured(leave: RegionFailoverBench) -> None:
    assert (await leave.ending(await leave.approved()))[0] == "completed"
    code, told = await _report(leave)
    print(told)
    assert code == 0
    assert "loss of aiagent-db: before the approval none: Azure stops writes first" in told
    assert "afterwards 0 acknowledged writes missing" in told
    assert "api-deployment asks for 0 pods, before for 3" in told
    assert "LOST OR MISSING: Redis mymaster" in told
    assert "from the loss of the region to its application answering elsewhere" in told
    assert "mona" in told
    promote, route = (float(told.partition(f"| {row} | +")[2].partition(" ")[0]) for row in ("promote", "route"))
    assert promote < route, "the dry run of the traffic is part of the decision"


async def test_the_report_of_a_stranded_run_lists_what_is_left(leave: RegionFailoverBench) -> None:
    leave.application.healthy = False
    leave.change_entry(patience="PT2S")
    assert (await leave.ending(await leave.approved()))[0] == "Stranded"
    code, told = await _report(leave)
    print(told)
    assert code != 0
    assert f"{leave.application.url} answers" in told


def test_each_precondition_says_whether_it_holds_who_has_said_it_and_when() -> None:
    at = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
    lines = (
        Precondition(name="nodes of westus2", holds=True, evidence="3 of 3 are Ready"),
        Precondition(name="overlay", holds=False, evidence="no such folder", refusal="NotWhole"),
        Precondition(name="backup of x", holds=True, evidence="30.0 h ago", standing=Standing.WARNING, source="Azure",
                     read_at=at),
        Precondition(name="quota of x", holds=True, evidence="not known: silent", standing=Standing.UNKNOWN, source="Azure",
                     read_at=at),
    )  # fmt: skip
    [table] = region_tables(Known(details=RegionDetails(preconditions=lines)))
    console = Console(width=200, file=StringIO())
    console.print(table)
    told = [" ".join(line.replace("│", " ").split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    wanted = (
        "nodes of westus2 yes 3 of 3 are Ready", "overlay NO no such folder",
        "backup of x WARNING 30.0 h ago [Azure, 2026-11-29 02:30:00", "quota of x NOT KNOWN not known: silent [Azure, 2026-",
    )  # fmt: skip
    assert [one for one in wanted if not any(line.startswith(one) for line in told)] == [], told
