"""Was the objective met? Measured, not assumed; without a measurement, an upper bound from the steps' own times.

The outage is what the measuring client saw. If it saw none, writes were stopped at most from the start of the fence to
the verified write on the new primary. A loss that could not be counted is zero only if the old primary's stop was clean
and the candidate was promoted with everything up to its last record; otherwise it is unknown, and unknown is not met.
"""

from __future__ import annotations

from datetime import datetime

from activities.models import Measurement, Outcome, Wire
from gate.api import Fenced, Promoted
from gate.lsn import parse_lsn
from starters.report.chronicle import Chronicle


class Verdict(Wire):
    """Outage and loss against the objective. Seconds; ``None`` is unknown or does not apply."""

    met: bool | None
    """``None``: nothing was moved (a plan, a refusal, a rejoin), or it is not over yet."""
    rto_seconds: float | None
    rpo_seconds: float | None
    outage_seconds: float | None
    outage_is_bound: bool
    """The figure is an upper bound from the steps' times, not a measurement."""
    lost: int | None
    """Acknowledged writes that the new primary does not have."""
    loss_is_argued: bool
    """Not counted, but the new primary had received all that the old one ever wrote."""
    sentences: tuple[str, ...]


def verdict_of(chronicle: Chronicle, measurement: Measurement | None) -> Verdict:
    """Return the verdict on a run."""
    rto, rpo = _objective(chronicle)
    outage, bound = _outage(chronicle, measurement)
    lost, argued = _loss(chronicle, measurement)
    moved = chronicle.report is not None and chronicle.report.outcome in {Outcome.COMPLETED, Outcome.STRANDED}
    moved = moved and bool(chronicle.steps_named("postgres.promote"))
    in_time = outage is not None and rto is not None and outage <= rto
    in_loss = lost == 0 or (lost is not None and rpo is not None and _lost_seconds(lost, measurement) <= rpo)
    stranded = chronicle.report is not None and chronicle.report.outcome is Outcome.STRANDED
    return Verdict(
        met=(in_time and in_loss and not stranded) if moved else None,
        rto_seconds=rto,
        rpo_seconds=rpo,
        outage_seconds=outage,
        outage_is_bound=bound,
        lost=lost,
        loss_is_argued=argued,
        sentences=(
            _about_outage(outage, rto, bound=bound, in_time=in_time),
            _about_loss(lost, rpo, argued=argued, in_loss=in_loss),
        )
        if moved
        else (),
    )


def _objective(chronicle: Chronicle) -> tuple[float | None, float | None]:
    if (report := chronicle.report) is not None:
        return report.objective_rto_seconds, report.objective_rpo_seconds
    if (target := chronicle.target) is not None:
        return target.cluster.objective.rto.total_seconds(), target.cluster.objective.rpo.total_seconds()
    return None, None


def _outage(chronicle: Chronicle, measurement: Measurement | None) -> tuple[float | None, bool]:
    """Return (seconds, is an upper bound)."""
    if measurement is not None and measurement.outage_seconds is not None and _covers(chronicle, measurement):
        return measurement.outage_seconds, False
    fences, proofs = chronicle.steps_named("postgres.fence"), chronicle.steps_named("postgres.verify")
    ended = proofs[-1].ended if proofs and proofs[-1].end == "completed" else None
    if not fences or ended is None:
        return None, False
    return (ended - fences[0].scheduled).total_seconds(), True


def _covers(chronicle: Chronicle, measurement: Measurement) -> bool:
    """Whether the measured gap is the one that the switch made: it lies around the promotion."""
    promotions = chronicle.steps_named("postgres.promote")
    edges: tuple[datetime | None, datetime | None] = (measurement.last_before, measurement.first_after)
    if not promotions or edges[0] is None or edges[1] is None:
        return False
    return edges[0] <= (promotions[-1].ended or edges[0]) and promotions[0].scheduled <= edges[1]


def _loss(chronicle: Chronicle, measurement: Measurement | None) -> tuple[int | None, bool]:
    """Return (lost writes, argued instead of counted)."""
    if measurement is not None and measurement.lost is not None:
        return measurement.lost, False
    fenced, promoted = chronicle.result_of("postgres.fence", Fenced), chronicle.result_of("postgres.promote", Promoted)
    if fenced and promoted and fenced.clean and parse_lsn(promoted.lsn) >= parse_lsn(fenced.end_lsn):
        return 0, True
    return None, False


def _lost_seconds(lost: int, measurement: Measurement | None) -> float:
    """Estimate how much time ``lost`` writes span, from the writer's usual pace."""
    gap = measurement.usual_gap_seconds if measurement else None
    return float("inf") if gap is None else lost * gap


def _about_outage(outage: float | None, rto: float | None, *, bound: bool, in_time: bool) -> str:
    if outage is None:
        return "outage: not measured, so the objective counts as missed"
    if rto is None:
        return f"outage: {outage:.3f} s; the objective is unknown"
    how = (
        "at most, by the steps' own times (the measuring writer saw none around the promotion)"
        if bound
        else "as a client saw it"
    )
    return f"outage: {outage:.3f} s {how}; objective {rto:g} s: {'met' if in_time else 'missed'}"


def _about_loss(lost: int | None, rpo: float | None, *, argued: bool, in_loss: bool) -> str:
    if lost is None:
        return "loss: could not be counted, so the objective counts as missed"
    how = (
        "not counted, but the new primary had received the old one's last record"
        if argued
        else "acknowledged writes, all looked up on the new primary"
    )
    limit = "unknown" if rpo is None else f"{rpo:g} s"
    return f"loss: {lost} ({how}); objective {limit}: {'met' if in_loss else 'missed'}"
