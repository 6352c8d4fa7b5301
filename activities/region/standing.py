"""Decides from a look at a database who leads it, and what the server in the lost region is. Pure.

Missing data means no. A server leads only where Azure calls it primary, the endpoint has it as its writer by Azure's word
and by DNS, and it takes writes by SQL. Only then may anything be changed on the other side.
"""

from __future__ import annotations

from activities.region.models import READY, AzureFact, FlexibleSqlFact, FlexibleSurvey, Role
from activities.region.returning_models import DatabaseStanding, Lead, Old
from activities.run.models.diagnosis import Silence
from estate.flexible import FlexibleTarget

STOPPED = "Stopped"


def standing_of(target: FlexibleTarget, survey: FlexibleSurvey, leader: str) -> DatabaseStanding:
    """Return how the database stands; ``leader``: its server in the surviving region."""
    server = target.database.other(leader)
    lead = _lead(survey, server, leader)
    old, words = _old(survey.azure_of(server), survey.sql_of(server), leader)
    if lead is not Lead.SURVIVOR:
        words = f"{target.database.writer} leads to {server}" if lead is Lead.LOST else why_unknown(target, survey, leader)
    standby = survey.azure_of(leader).high_availability
    return DatabaseStanding(name=target.name, server=server, leader=leader, lead=lead, old=old, words=words, standby=standby)


def leads(survey: FlexibleSurvey, server: str) -> bool:
    """Whether Azure, both words of the endpoint, and SQL agree that ``server`` leads."""
    endpoint = survey.endpoint
    by_azure = survey.azure_of(server).role is Role.PRIMARY and endpoint.members[:1] == (server,)
    return by_azure and endpoint.leads_to == server and survey.sql_of(server).in_recovery is False


def why_unknown(target: FlexibleTarget, survey: FlexibleSurvey, server: str) -> str:
    """Return in words what keeps ``server`` from being known to lead."""
    azure, sql, endpoint = survey.azure_of(server), survey.sql_of(server), survey.endpoint
    says = azure.error or f"{azure.role.value}, {azure.state}"
    by_sql = {None: sql.error or "no answer", True: "a replica", False: "takes writes"}[sql.in_recovery]
    members = ", ".join(endpoint.members) or endpoint.error or "none"
    name = f"{target.database.writer} leads to {endpoint.leads_to or 'no server that is known'}"
    return f"it is not known that {server} leads: Azure: {says}; SQL: {by_sql}; {name}; its members: {members}"


def _lead(survey: FlexibleSurvey, server: str, leader: str) -> Lead:
    if leads(survey, leader):
        return Lead.SURVIVOR
    other = survey.azure_of(leader)
    if leads(survey, server) and other.role is Role.REPLICA and other.state == READY:
        return Lead.LOST
    return Lead.UNKNOWN


def _old(azure: AzureFact, sql: FlexibleSqlFact, leader: str) -> tuple[Old, str]:
    """Return what the server is, in words too. That it takes writes counts whatever Azure calls it."""
    by_azure = azure.error or f"{azure.role.value}{f' of {azure.source}' if azure.source else ''}, {azure.state}"
    if sql.in_recovery is False or sql.silence is Silence.NO_ROOM:
        if azure.state == READY:
            return Old.WRITES, f"it takes writes, and Azure says {by_azure}"
        return Old.SETTLES, f"IT TAKES WRITES, and Azure says {by_azure}"
    return _quiet(azure, sql, leader, by_azure)


def _quiet(azure: AzureFact, sql: FlexibleSqlFact, leader: str, by_azure: str) -> tuple[Old, str]:
    """Return what a server is that is not known to take writes."""
    if azure.state == STOPPED:
        return Old.STOPPED, "stopped"
    if azure.role is Role.REPLICA and azure.source == leader:
        return Old.FOLLOWS, f"replica of {leader}, {azure.state}"
    if sql.in_recovery:
        return Old.SETTLES, f"it takes no writes, and Azure says {by_azure}"
    if sql.silence.is_answer and azure.state == READY:
        return Old.ANSWERS, f"it answers: {sql.error}; Azure says {by_azure}"
    return Old.SILENT, f"no answer; Azure says {by_azure}"
