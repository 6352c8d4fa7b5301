"""The series of drills on a terminal."""

from __future__ import annotations

from rich.text import Text

from starters.history.series import Line
from starters.render.tables import Rows
from starters.render.words import duration, moment


def series_table(lines: tuple[Line, ...]) -> Rows:
    """Return the drills, oldest first."""
    table = Rows("when", "kind", "target", "result", "confirmed by", "RTO", "RPO", "remarks", indent=0)
    for line in lines:
        record = line.record
        result = Text(line.result, style={"PASS": "green", "FAIL": "red"}.get(line.result, "yellow"))
        table.add_row(
            moment(record.began_at), record.kind, record.target, result, line.said_by or "nobody", rto(line), rpo(line),
            remarks(line),
        )  # fmt: skip
    return table


def rto(line: Line) -> str:
    """Return the outage beside its objective."""
    figure, objective = line.record.rto_seconds, line.record.objective_seconds
    if figure is None:
        return "not measured"
    if objective is None:
        return duration(figure)
    return f"{duration(figure)} of {duration(objective)}{'' if line.objective_met else ', missed'}"


def rpo(line: Line) -> str:
    """Return the loss."""
    rows = line.record.rpo_rows
    return "not measured" if rows is None else f"{rows} rows"


def remarks(line: Line) -> str:
    """Return what is to be looked at."""
    gaps = f"{len(line.gaps)} gap{'s' if len(line.gaps) > 1 else ''}" if line.gaps else ""
    return "; ".join([*(f"REGRESSION: {one}" for one in line.regressions), *([gaps] if gaps else [])])
