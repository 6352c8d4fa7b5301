"""Was the objective met? Measured, not assumed; without a measurement, an upper bound from the steps' own times.

The outage is what the measuring client saw. If it saw none, writes were stopped at most from the start of the fence to
the verified write on the new primary. A loss that could not be counted is zero only if the old primary's stop was clean
and the candidate was promoted with everything up to its last record; otherwise it is unknown, and unknown is not met.

A forced failover begins when the damage is done: the client of the run saw no write before it. Its outage is at least the
time from the last sign of the old primary (``starters.history.standstill``) to the verified write, and its loss is what the
plan argued from synchronous replication.

Nobody can count what a Redis master that died had acknowledged and not sent on: that loss is said to be unknown, and not
judged.

Pods and nodes are judged by the time until all was ready again, pods from their break on, nodes from the cordon: nothing
can be lost by them.

A replica in another region is asynchronous: what a forced failover may miss is judged (``starters.history.missing``).

A discard gives up what people agreed to give up: its loss is counted, and no objective judges it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from activities.postgres.models.details import PostgresDetails
from activities.postgres.models.plan import Loss
from activities.run.models.measure import Measurement
from activities.run.models.report import Outcome, RecoveryDetails
from activities.run.models.wire import Wire
from gate.api import Fenced, Promoted
from gate.postgres.lsn import parse_lsn
from starters.history.missing import about_missing, may_miss
from starters.history.parse import Chronicle
from starters.history.standstill import standstill
from workflows.catalog import spec_of
from workflows.run.phases import Part


class Figure(StrEnum):
    """What a number of seconds is worth."""

    MEASURED = "measured"
    """A client saw it, or for pods and nodes the run itself."""
    AT_MOST = "at most"
    """By the steps' own times: no client saw a gap around the promotion."""
    AT_LEAST = "at least"
    """Forced: from the last sign of the old primary to the verified write."""


class Verdict(Wire):
    """Outage and loss against the objective. Seconds; ``None`` is unknown or does not apply."""

    met: bool | None
    """``None``: nothing was moved (a plan, a refusal, a rejoin), or it is not over yet."""
    rto_seconds: float | None
    rpo_seconds: float | None
    outage_seconds: float | None
    outage_is: Figure | None
    """``None``: there is no figure."""
    lost: int | None
    """Acknowledged writes that the new primary does not have."""
    loss_is_argued: bool
    """Not counted, but the new primary had received all that the old one ever wrote."""
    sentences: tuple[str, ...]


_UNCOUNTED = "loss: unknown and not judged: Redis replicates asynchronously, and nobody measured while the old master lived"


def verdict_of(chronicle: Chronicle, measurement: Measurement | None) -> Verdict:
    """Return the verdict on a run."""
    rto, rpo = _objective(chronicle)
    if (spec := spec_of(chronicle.workflow)) is not None and spec.recovery:
        return _of_recovery(chronicle, rto, spec.recovery)
    outage, figure = _outage(chronicle, measurement)
    lost, argued = _loss(chronicle, measurement)
    moved = chronicle.report is not None and chronicle.report.outcome in {Outcome.COMPLETED, Outcome.STRANDED}
    moved = moved and bool(chronicle.steps_that(Part.MOVES))
    in_time = outage is not None and rto is not None and outage <= rto
    given_up = _given_up(chronicle)
    in_loss = lost == 0 or (lost is not None and rpo is not None and _lost_seconds(lost, measurement) <= rpo)
    not_judged = lost is None and chronicle.workflow == "redis-failover" and _is_forced(chronicle)
    missing = may_miss(chronicle)
    in_loss = in_loss or given_up is not None or not_judged or (missing is not None and rpo is not None and missing <= rpo)
    stranded = chronicle.report is not None and chronicle.report.outcome is Outcome.STRANDED
    return Verdict(
        met=(in_time and in_loss and not stranded) if moved else None,
        rto_seconds=rto,
        rpo_seconds=rpo,
        outage_seconds=outage,
        outage_is=figure if outage is not None else None,
        lost=lost,
        loss_is_argued=argued,
        sentences=(
            _about_outage(outage, rto, how=_how(chronicle, figure), in_time=in_time),
            _about_given_up(given_up)
            if given_up
            else _UNCOUNTED
            if not_judged
            else about_missing(chronicle, missing, rpo, in_loss=in_loss)
            if missing is not None
            else _about_loss(lost, rpo, argued=argued, in_loss=in_loss),
        )
        if moved
        else (),
    )


def _of_recovery(chronicle: Chronicle, rto: float | None, counts: str) -> Verdict:
    report = chronicle.report
    details = report.details if report else None
    seconds, whole = (details.recovery_seconds, details.healthy) if isinstance(details, RecoveryDetails) else (None, False)
    in_time = whole and seconds is not None and rto is not None and seconds <= rto
    told = f"recovery: {seconds:.3f} s {counts}" if seconds is not None else ""
    if told and not whole:
        told = f"recovery: not in {seconds:.3f} s"
    if told and isinstance(details, RecoveryDetails) and details.people_seconds:
        told += f", without the {details.people_seconds:.0f} s in which it waited for people"
    limit = f"; objective {rto:g} s: {'met' if in_time else 'missed'}" if rto is not None else "; the objective is unknown"
    return Verdict(
        met=in_time if told else None,
        rto_seconds=rto,
        rpo_seconds=None,
        outage_seconds=seconds,
        outage_is=Figure.MEASURED if seconds is not None else None,
        lost=None,
        loss_is_argued=False,
        sentences=(told + limit,) if told else (),
    )


def _objective(chronicle: Chronicle) -> tuple[float | None, float | None]:
    if (report := chronicle.report) is not None:
        return report.objective_rto_seconds, report.objective_rpo_seconds
    if (target := chronicle.target) is not None:
        return target.objective.rto.total_seconds(), target.objective.rpo.total_seconds()
    return None, None


def _outage(chronicle: Chronicle, measurement: Measurement | None) -> tuple[float | None, Figure]:
    """Return the seconds, and what they are worth."""
    if measurement is not None and measurement.outage_seconds is not None and _covers(chronicle, measurement):
        return measurement.outage_seconds, Figure.MEASURED
    fences = chronicle.steps_that(Part.STOPS) or chronicle.steps_that(Part.MOVES)
    proofs = chronicle.steps_that(Part.PROVES)
    ended = proofs[-1].ended if proofs and proofs[-1].end == "completed" else None
    if (stood := standstill(chronicle)) is not None:
        return ((ended - stood.since).total_seconds() if ended else None), Figure.AT_LEAST
    began = fences[0].scheduled if fences else None
    return ((ended - began).total_seconds() if ended and began else None), Figure.AT_MOST


def _is_forced(chronicle: Chronicle) -> bool:
    return chronicle.asked.get("mode") == "forced"


def _covers(chronicle: Chronicle, measurement: Measurement) -> bool:
    """Whether the measured gap is the one that the switch made: it lies around the promotion."""
    promotions = chronicle.steps_that(Part.MOVES)
    edges: tuple[datetime | None, datetime | None] = (measurement.last_before, measurement.first_after)
    if not promotions or edges[0] is None or edges[1] is None:
        return False
    return edges[0] <= (promotions[-1].ended or edges[0]) and promotions[0].scheduled <= edges[1]


def _loss(chronicle: Chronicle, measurement: Measurement | None) -> tuple[int | None, bool]:
    """Return (lost writes, argued instead of counted)."""
    if _is_forced(chronicle) and not (measurement and measurement.lost):
        lossless = chronicle.plan is not None and chronicle.plan.lossless
        return (0, True) if lossless else (None, False)
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


def _how(chronicle: Chronicle, figure: Figure) -> str:
    if figure is Figure.AT_LEAST and (stood := standstill(chronicle)) is not None:
        return f"at least, {stood.told}, to the verified write"
    if figure is Figure.AT_MOST:
        return "at most, by the steps' own times (the measuring writer saw none around the promotion)"
    return "as a client saw it"


def _about_outage(outage: float | None, rto: float | None, *, how: str, in_time: bool) -> str:
    if outage is None:
        return "outage: not measured, so the objective counts as missed"
    if rto is None:
        return f"outage: {outage:.3f} s; the objective is unknown"
    return f"outage: {outage:.3f} s {how}; objective {rto:g} s: {'met' if in_time else 'missed'}"


def _given_up(chronicle: Chronicle) -> Loss | None:
    """Return what a discard has given up."""
    details = chronicle.report.details if chronicle.report else None
    return details.loss if isinstance(details, PostgresDetails) else None


def _about_given_up(loss: Loss) -> str:
    """Say what a discard has cost: it was asked for and approved, so no objective applies."""
    return f"loss: at most {loss.transactions} transactions ({loss.bytes} bytes of WAL), lost as approved"


def _about_loss(lost: int | None, rpo: float | None, *, argued: bool, in_loss: bool) -> str:
    if lost is None:
        return "loss: unknown, so the objective counts as missed"
    how = (
        "not counted: the new primary provably had everything that was acknowledged"
        if argued
        else "acknowledged writes, all looked up on the new primary"
    )
    limit = "unknown" if rpo is None else f"{rpo:g} s"
    return f"loss: {lost} ({how}); objective {limit}: {'met' if in_loss else 'missed'}"
