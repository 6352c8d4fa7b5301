"""An application gateway, its backends, and what became of them, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType

from activities.traffic.gateway_models import GatewayDetails, GatewaySurvey
from starters.render import words
from starters.render.tables import Rows


def gateway_tables(survey: GatewaySurvey) -> list[RenderableType]:
    """Return what Azure says of the gateway, and what it and each backend say of the backend."""
    fact = survey.gateway
    gateway = Rows("gateway", "probe of the settings", "pool")
    used = fact.basis.settings_probe.rpartition("/")[2] or "none of their own"
    gateway.add_row(fact.error or fact.state, used, ", ".join(fact.basis.pool) or "nobody")
    backends = Rows("backend", "in the pool", "the gateway says", "asked directly", "")
    pool = {one.casefold() for one in fact.basis.pool}
    for one in survey.backends:
        said = one.health.value if one.health else survey.health_error or "not listed"
        inside = "yes" if one.address.casefold() in pool else "no"
        backends.add_row(one.address, inside, said, f"{one.direct.value} ({one.answer})", one.log)
    return [gateway, backends]


def gateway_lines(details: GatewayDetails) -> list[str]:
    """Return what was asked of Azure, how long it took, and whom the gateway calls healthy since when."""
    begun, changed, routed, undo = details.begun, details.changed, details.routed, details.undo
    lines = [f"Azure has accepted {details.changes_asked} change{'s'[: details.changes_asked != 1]}"] if begun else []
    if begun is not None and changed is not None:
        took = words.duration((changed.at - begun.at).total_seconds())
        lines.append(f"Azure: {changed.ended.value} after {took} ({changed.looks} looks) {changed.message}".rstrip())
    if routed is not None:
        told = f"healthy: {', '.join(routed.up) or 'nobody'}"
        lines.append(f"the gateway at {words.moment(routed.at)}: {told}{f'; {routed.words}' if routed.words else ''}")
    if undo is not None:
        left = f"; left as others have made it: {'; '.join(undo.differs)}" if undo.differs else ""
        lines.append(f"put back at {words.moment(undo.at)}{left}")
    return [*lines, *details.notes]
