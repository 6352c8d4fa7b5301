"""Doctor's eye on databases on Flexible Servers: whether one could move to its other region, and whether it takes writes."""

from __future__ import annotations

import asyncio

from temporalio.exceptions import ApplicationError

from activities.clients.flexible_ports import FlexibleServers, FlexibleSql
from activities.clients.ports import UnreachableError
from activities.region.models import READY, AzureFact, FlexibleLook, FlexibleSqlFact, FlexibleSurvey, Role
from activities.region.survey import FlexibleLookActivities
from activities.run.findings import fault, ok, outage, warning
from activities.run.models.doctor import Finding, Standing
from estate.flexible import FlexibleTarget

_BRIEF_SECONDS = 1.8
_PORTAL = "see the server: az postgres flexible-server show"


class FlexibleDoctor:
    """Looks at databases through Azure, SQL and DNS."""

    def __init__(self, servers: FlexibleServers, sql: FlexibleSql) -> None:
        """Ask Azure by ``servers``, the databases by ``sql``."""
        self._sql, self._look = sql, FlexibleLookActivities(servers, sql)

    async def at(self, target: FlexibleTarget) -> list[Finding]:
        """Return a finding per thing looked at. Never raises for what it finds."""
        try:
            return of_flexible(target, await self._look.survey(FlexibleLook(target=target)))
        except ApplicationError as error:  # a secret that is missing
            return [fault(target.name, error.message, "mount or set it for the worker")]

    async def standing(self, target: FlexibleTarget) -> Standing:
        """Return whether the endpoint leads to a server that takes writes, by DNS and SQL alone."""
        told = Standing(kind=target.KIND, name=target.name, remedy=f"failover doctor {target.name}")
        try:
            async with asyncio.timeout(_BRIEF_SECONDS):
                leads = await self._sql.endpoint(target)
                if not leads.leads_to:
                    return told.model_copy(update={"message": leads.error or f"{target.database.writer} leads to no server"})
                fact = await self._sql.facts(target, leads.leads_to)
        except (ApplicationError, UnreachableError, TimeoutError) as error:
            words = str(error) or f"no answer within {_BRIEF_SECONDS:g} s"
            return told.model_copy(update={"message": f"cannot be asked for: {words}"})
        if fact.in_recovery:
            words = f"{target.database.writer} leads to {fact.name}, which is a replica"
            return told.model_copy(update={"takes_writes": False, "message": words})
        known = {"leader": fact.name, "takes_writes": True, "redundant": fact.behind_bytes is not None, "remedy": ""}
        return told.model_copy(update=known)


def of_flexible(target: FlexibleTarget, survey: FlexibleSurvey) -> list[Finding]:
    """Return what a survey shows: the endpoint, then each server, then what is announced."""
    findings = [_of_endpoint(target, survey)]
    for fact in survey.azure:
        findings += [_of_azure(target, fact), _of_sql(target, fact, survey.sql_of(fact.name))]
    findings += [warning(target.name, words, "plan no failover into it") for words in survey.maintenance]
    return findings


def _of_endpoint(target: FlexibleTarget, survey: FlexibleSurvey) -> Finding:
    endpoint, name = survey.endpoint, target.database.writer
    primaries = [one.name for one in survey.azure if one.role is Role.PRIMARY]
    if (lost := survey.lost_primary) is not None:
        words = f"NOT REDUNDANT: {target.place(lost)} is lost; Azure lists it as primary until its region returns"
        return fault(target.name, words, f"nothing: Azure then makes it a replica of {target.database.other(lost)}")
    if len(primaries) > 1:
        words = f"{' and '.join(primaries)} are both primary: two servers take writes"
        return fault(target.name, words, "find out which one applications write to, and make the other one its replica")
    if endpoint.silent or not primaries:
        words = f"nobody knows where its virtual endpoint leads: {endpoint.error or 'Azure names no primary'}"
        return fault(target.name, words, "see the worker's identity and network, then ask again")
    if set(endpoint.members) != set(target.database.servers):
        words = f"its virtual endpoint has the members {', '.join(endpoint.members) or endpoint.error or 'nobody'}"
        return fault(target.name, words, f"it must have {' and '.join(target.database.servers)}: see docs/install.md")
    if endpoint.leads_to != primaries[0]:
        words = f"{name} leads to {endpoint.leads_to or endpoint.error or 'no server'}, the primary is {primaries[0]}"
        return fault(target.name, words, "see the DNS that the worker asks (nameserver in the estate)")
    return ok(target.name, f"{name} leads to {endpoint.leads_to} (time to live {endpoint.ttl_seconds} s)")


def _of_azure(target: FlexibleTarget, fact: AzureFact) -> Finding:
    subject = target.place(fact.name)
    if fact.error:
        return fault(subject, fact.error, "see the worker's identity and role: deploy/azure/roles/postgres.json")
    told = f"Azure says {fact.role.value}{f' of {fact.source}' if fact.source else ''}, {fact.state}"
    if fact.state != READY or fact.role is Role.UNKNOWN:
        return fault(subject, told, _PORTAL)
    if fact.role is Role.PRIMARY and not fact.high_availability:
        return warning(subject, f"{told}, without high availability", "enable it: inside its region nothing stands by")
    return ok(subject, f"{told}{f', {fact.high_availability}' if fact.high_availability else ''}")


def _of_sql(target: FlexibleTarget, fact: AzureFact, sql: FlexibleSqlFact) -> Finding:
    subject = f"{fact.name}: SQL"
    if sql.in_recovery is None:
        plan = f"failover plan postgres-region-failover {target.name} --mode forced"
        if fact.role is Role.PRIMARY:
            return outage(subject, f"WRITES ARE DOWN: the primary does not answer: {sql.error}", plan)
        return fault(subject, f"does not answer: {sql.error}", "see the server's network and the worker's")
    if not sql.takes_rows:
        remedy = f"create schema failover authorization {target.database.login.user}"
        return warning(subject, "has no schema failover: outage and loss cannot be measured", remedy)
    if sql.in_recovery:
        limit = target.database.thresholds.forced_lag.total_seconds()
        connected = bool(sql.told_lsn)
        told = f"replica, {'receives WAL' if connected else 'is not connected to its primary'}"
        return ok(subject, told) if connected else fault(subject, told, f"nothing newer arrives; the limit is {limit:.0f} s")
    if sql.behind_bytes is None:
        return fault(subject, "primary, and no replica is connected to it", _PORTAL)
    return ok(subject, f"primary, its replica is {sql.behind_bytes} bytes behind")
