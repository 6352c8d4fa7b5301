"""Where the traffic went, and what became of moving it, in tables and sentences."""

from __future__ import annotations

from datetime import datetime

from rich.console import RenderableType

from activities.traffic.models import Proof, TrafficDetails, TrafficSurvey
from starters.render import words
from starters.render.tables import Rows


def traffic_tables(survey: TrafficSurvey) -> list[RenderableType]:
    """Return each lever as Azure shows it, and where the traffic went by each other source."""
    levers = Rows("lever", "name", "region", "setting", "Azure says")
    for side in survey.sides:
        if side.error:
            levers.add_row(side.side.value, "", "", "", f"no answer: {side.error}")
        for one in side.levers:
            told = one.health or one.state
            levers.add_row(f"{side.side} {one.lever}", one.name, one.region, str(one.setting), told)
    sources = Rows("asked", "answers", "about it")
    sources.add_row("the edge", survey.edge_told, f"{len(survey.edge)} questions")
    if (name := survey.name) is not None:
        lives = "" if name.ttl_seconds is None else f"time to live {name.ttl_seconds} s"
        sources.add_row("DNS", name.region or name.error, lives)
    for asked in survey.health:
        sources.add_row(f"{asked.region} directly", "healthy" if asked.healthy else "NOT HEALTHY", asked.message)
    return [levers, sources]


def traffic_lines(details: TrafficDetails) -> list[str]:
    """Return what a run changed, and both times: Azure's end, and the answers of the edge and of DNS."""
    lines = [f"{'changed and put back' if one in details.put_back else 'changed'}: {one}" for one in details.changed]
    lines.append(f"Azure was asked for {details.asked} change{'s'[: details.asked != 1]}")
    began = details.begun_at
    if began is not None and details.azure_done_at is not None:
        lines.append(f"Azure had ended all changes after {_after(began, details.azure_done_at)}")
    if began is not None and (served := details.served) is not None:
        lines += _proof("the edge", served.edge, began)
        lines += _proof("DNS", served.name, began) if served.name is not None else []
    return [*lines, *details.notes]


def _proof(who: str, proof: Proof, began: datetime) -> list[str]:
    told = f"{who}: first answer from there "
    told += "never" if proof.first_at is None else f"after {_after(began, proof.first_at)}"
    told += "" if proof.all_from is None else f", every answer from {_after(began, proof.all_from)} on"
    lives = "" if proof.ttl_seconds is None else f"; time to live {proof.ttl_seconds} s or more"
    return [
        f"{told} ({proof.answers} questions{lives})",
        *([f"{who}: last other answer: {proof.last}"] if proof.last else []),
    ]


def _after(began: datetime, at: datetime) -> str:
    return words.duration((at - began).total_seconds())
