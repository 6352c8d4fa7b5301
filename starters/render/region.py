"""A pair of Flexible Servers and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType

from activities.region.models import AzureFact, FlexibleDetails, FlexibleSqlFact, FlexibleSurvey
from starters.history.missing import instant
from starters.render import words
from starters.render.tables import Rows


def flexible_tables(survey: FlexibleSurvey) -> list[RenderableType]:
    """Return what Azure and each server said, and where the endpoint leads."""
    servers = Rows("server", "Azure says", "state", "by SQL", "replayed until")
    for fact in survey.azure:
        sql = survey.sql_of(fact.name)
        servers.add_row(
            fact.name, _role(fact), fact.state, _by_sql(sql), words.moment(sql.replayed_at) if sql.replayed_at else ""
        )
    endpoint = survey.endpoint
    names = Rows("virtual endpoint", "leads to", "address", "time to live")
    leads = endpoint.leads_to or endpoint.error or "no server that is known"
    ttl = "" if endpoint.ttl_seconds is None else f"{endpoint.ttl_seconds} s"
    names.add_row(", ".join(endpoint.members) or endpoint.error, leads, ", ".join(endpoint.addresses), ttl)
    return [servers, names]


def _role(fact: AzureFact) -> str:
    if fact.error:
        return f"no answer: {fact.error}"
    return f"{fact.role.value}{f' of {fact.source}' if fact.source else ''}"


def _by_sql(fact: FlexibleSqlFact) -> str:
    if fact.in_recovery is None:
        return f"no answer ({fact.silence.value})"
    if fact.in_recovery:
        return "replica" + (", connected" if fact.told_lsn else ", NOT CONNECTED to its primary")
    behind = "no replica connected" if fact.behind_bytes is None else f"replica {fact.behind_bytes} bytes behind"
    return f"primary, {behind}"


def flexible_lines(details: FlexibleDetails) -> list[str]:
    """Return what a failover did: what Azure was asked for, how long it took, and since when the endpoint leads there."""
    lines = []
    begun, promotion, routed = details.begun, details.promotion, details.routed
    if details.promotions_asked:
        lines.append(f"Azure was asked to promote {details.promotions_asked} time{'s'[: details.promotions_asked > 1]}")
    elif begun is not None:
        lines.append("Azure was not asked (again): it led already, or a promotion was under way")
    if begun is not None and promotion is not None:
        took = (promotion.at - begun.at).total_seconds()
        lines.append(
            f"Azure: {promotion.ended.value} after {words.duration(took)} ({promotion.looks} looks) {promotion.message}"
        )
    if routed is not None:
        live = "" if routed.ttl_seconds is None else f"; time to live {routed.ttl_seconds} s or more"
        lines.append(f"the endpoint led to {routed.leader} at {words.moment(routed.name_moved_at)}{live}")
        lines.append(f"first verified write at {words.moment(routed.at)}, timeline {routed.timeline}")
    if routed is not None and routed.complete_until is not None:
        until = instant(routed.complete_until)
        lines.append(f"{routed.leader} has every commit until {until}; later ones are missing")
    if details.followed is not None:
        lines.append(f"{details.followed.name}: {details.followed.words}")
    return [*(line.rstrip() for line in lines), *details.notes]
