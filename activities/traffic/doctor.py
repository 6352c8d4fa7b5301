"""Doctor's check of public names: whether the traffic could be moved, and whether the three sources agree where it goes."""

from __future__ import annotations

from activities.clients.traffic_ports import TrafficClients
from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from activities.traffic.models import Side, SideFact, TrafficLook, TrafficSurvey
from activities.traffic.survey import TrafficLookActivities
from estate.traffic import TrafficTarget

_ROLE = "see the worker's identity and role: deploy/azure/roles/traffic.json"
_LONG_LIFE_SECONDS = 300
"""Traffic Manager's default is 60 s; clients stay at a lost region for so long."""


class TrafficDoctor:
    """Looks at public names through Azure, the edge and DNS."""

    def __init__(self, clients: TrafficClients) -> None:
        """Ask by ``clients``."""
        self._look = TrafficLookActivities(clients)

    async def at(self, target: TrafficTarget) -> list[Finding]:
        """Return a finding per thing looked at. Never raises for what it finds."""
        return of_traffic(target, await self._look.survey(TrafficLook(target=target)))


def of_traffic(target: TrafficTarget, survey: TrafficSurvey) -> list[Finding]:
    """Return what a survey shows: each side, the edge, DNS, then each region."""
    findings = [_of_side(target, side) for side in survey.sides]
    findings.append(_of_edge(target, survey))
    findings += _of_name(target, survey)
    for one in survey.health:
        subject = f"{target.name}: {target.place(one.region)}"
        remedy = "see regions.health of the estate, the region, and the worker's network: no traffic can be moved there"
        findings.append(ok(subject, one.message) if one.healthy else fault(subject, one.message, remedy))
    return findings


def _of_side(target: TrafficTarget, side: SideFact) -> Finding:
    subject = f"{target.name}: {side.side}"
    wrong = {
        side.error: _ROLE,
        side.disabled and f"{side.disabled} is disabled, or not in use": "enable it, or correct the estate",
        _other_routing(side): "only priority routing can be moved: change the profile's method",
        _no_origin(target, side): "enable an origin: Azure refuses to lead a route to it",
    }
    for words, remedy in wrong.items():
        if words:
            return fault(subject, words, remedy)
    sick = [one.name for one in side.levers if one.region and one.health == "Degraded"]
    if sick:
        return warning(subject, f"finds {', '.join(sick)} degraded", "see the endpoint, and the profile's probe path")
    disabled = [one.name for one in side.levers if one.region and not one.setting.enabled]
    if disabled:
        return warning(subject, f"{', '.join(disabled)} is disabled", "a failover to it enables it")
    return ok(subject, f"leads to {side.region}")


def _other_routing(side: SideFact) -> str:
    is_other = side.side is Side.TRAFFIC_MANAGER and side.routing != "Priority"
    return f"routes by {side.routing}" if is_other else ""


def _no_origin(target: TrafficTarget, side: SideFact) -> str:
    places = " and ".join(map(target.place, side.empty))
    return f"the origin group of {places} has no enabled origin" if places else ""


def _of_edge(target: TrafficTarget, survey: TrafficSurvey) -> Finding:
    subject = f"{target.name}: edge"
    failed = next((one.error for one in survey.edge if one.error), "")
    if failed:
        return fault(subject, failed, "a failover could not be proven: see edge in the estate, and the application")
    regions, by_azure = survey.edge_regions, {side.region for side in survey.sides}
    if len(regions) > 1 or (by_azure and by_azure != set(regions)):
        words = f"answers from {' and '.join(regions)}, and Azure leads to {' and '.join(sorted(by_azure)) or 'nowhere'}"
        return warning(subject, words, "the edge has not learnt of a change yet, or health probes have moved the traffic")
    return ok(subject, f"{target.entry.edge.url} answers from {regions[0]}")


def _of_name(target: TrafficTarget, survey: TrafficSurvey) -> list[Finding]:
    name, subject = survey.name, f"{target.name}: DNS"
    if name is None:
        return []
    if not name.region:
        return [fault(subject, name.error, "see the DNS server that the worker asks (nameserver in the estate)")]
    told = f"leads to {name.region}, time to live {name.ttl_seconds} s"
    manager = survey.side(Side.TRAFFIC_MANAGER)
    lives = manager.ttl_seconds if manager is not None else None
    if lives is not None and lives > _LONG_LIFE_SECONDS:
        return [warning(subject, f"the profile's time to live is {lives} s", "lower it: clients stay that long")]
    return [ok(subject, told)]
