"""Doctor's eye on application gateways: whether each is as declared, who is behind it, and what we may ask of it.

Whether it may be changed is not tried: Azure has no request that tries a PUT without making it.
"""

from __future__ import annotations

from activities.clients.gateway_ports import Backends, Gateways
from activities.run.findings import fault, ok, outage, warning
from activities.run.models.doctor import Finding
from activities.traffic.gateway_models import READY, BackendFact, Direct, GatewayLook, GatewaySurvey, Health
from activities.traffic.gateway_probe import probe_edits
from activities.traffic.gateway_survey import GatewayLookActivities
from estate.gateways import GatewayTarget

_ROLE = "see the worker's identity and role: deploy/azure/roles/traffic.json"


class GatewayDoctor:
    """Looks through Azure Resource Manager and HTTP."""

    def __init__(self, gateways: Gateways, backends: Backends) -> None:
        """Ask Azure by ``gateways``, the servers behind one by ``backends``."""
        self._look = GatewayLookActivities(gateways, backends)

    async def at(self, target: GatewayTarget) -> list[Finding]:
        """Return a finding per thing looked at. Never raises for what it finds."""
        return of_gateway(target, await self._look.survey(GatewayLook(target=target)))


def of_gateway(target: GatewayTarget, survey: GatewaySurvey) -> list[Finding]:
    """Return what a survey shows: the gateway, its probe, its pool, then each backend."""
    fact, subject = survey.gateway, target.name
    if fact.error:
        return [fault(subject, fact.error, _ROLE)]
    for there, what, name in (
        (fact.has_pool, "pool", target.gateway.pool),
        (fact.has_settings, "settings", target.gateway.settings),
    ):
        if not there:
            return [fault(subject, f"has no {what} {name}", f"correct {what} in the estate")]
    findings = [_of_state(subject, fact.state), *_of_probe(target, survey), *_of_pool(target, survey)]
    if survey.health_error:
        words = f"what it says of its backends is unknown: {survey.health_error}"
        return [*findings, fault(subject, words, _ROLE)]
    if survey.backends and not any(one.health is Health.UP or one.direct is Direct.GOOD for one in survey.backends):
        findings.append(
            outage(subject, "EVERY BACKEND IS UNHEALTHY: nobody is served", "failover doctor: what do they need?")
        )
    return [*findings, *(_of_backend(target, survey, one) for one in survey.backends)]


def _of_state(subject: str, state: str) -> Finding:
    if state == READY:
        return ok(subject, f"Azure says {state}")
    return warning(
        subject, f"Azure says {state or 'nothing of its state'}", "a change goes on, or the last one was not made"
    )


def _of_probe(target: GatewayTarget, survey: GatewaySurvey) -> list[Finding]:
    plan = f"failover plan gateway-failover {target.name}"
    edits = probe_edits(target, survey.gateway)
    found = [fault(target.name, f"not as declared: {edit.words}", plan) for edit in edits]
    return found or [
        ok(target.name, f"settings {target.gateway.settings} use probe {target.gateway.probe.name} as declared")
    ]


def _of_pool(target: GatewayTarget, survey: GatewaySurvey) -> list[Finding]:
    pool = survey.gateway.basis.pool
    known = {one.casefold() for one in pool}
    absent = [one for one in target.gateway.backends if one.casefold() not in known]
    others = [one for one in pool if not target.gateway.declares(one)]
    found = []
    if absent:
        plan = f"failover plan gateway-failover {target.name}"
        found.append(warning(target.name, f"out of pool {target.gateway.pool}: {', '.join(absent)}", plan))
    if others:
        words = f"in pool {target.gateway.pool} and not declared: {', '.join(others)}"
        found.append(warning(target.name, words, "add them to backends in the estate: others are never taken out"))
    return found or [ok(target.name, f"pool {target.gateway.pool} has the {len(pool)} declared backends")]


def _of_backend(target: GatewayTarget, survey: GatewaySurvey, one: BackendFact) -> Finding:
    inside = one.address.casefold() in {each.casefold() for each in survey.gateway.basis.pool}
    plan = f"failover plan gateway-failover {target.name}"
    if inside and one.health is Health.DOWN:
        return fault(one.address, one.told, plan)
    if inside and one.health is not Health.UP:
        return warning(one.address, one.told, "ask again after one probe interval")
    if one.direct is Direct.BAD:
        return warning(one.address, one.told, "see that backend")
    if one.direct is Direct.SILENT:
        return warning(one.address, one.told, "workers do not reach it: once out, no run can see that it is healthy")
    return ok(one.address, one.told)
