"""Doctor's look at notifications: can texts be sent at all, is somebody sending, and are they taken."""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from activities.clients.notifier import MISSING, is_installed
from activities.clients.secrets import read_secret
from activities.notices.standing import NoticesStanding, memo_of
from activities.run.findings import ok, warning
from activities.run.models.doctor import Finding
from activities.run.models.wire import read
from estate.model import Estate

_SUBJECT = "notifications"


async def of_notices(client: Client, estate: Estate) -> list[Finding]:
    """Return what doctor says; nothing where the estate has no such section. Sends nothing."""
    section = estate.notifications
    if section is None:
        return []
    if not is_installed():
        what, _, remedy = MISSING.partition(": ")
        return [warning(_SUBJECT, f"{what}: none of {', '.join(sorted(section.targets))} is told of anything", remedy)]
    unread = [await asyncio.to_thread(_unread, target.url) for target in section.targets.values()]
    found = [warning(_SUBJECT, why, "mount or set it for the worker") for why in unread if why]
    return [*found, *await _standing(client)] or [ok(_SUBJECT, f"{len(section.targets)} targets are told of runs")]


def _unread(reference: str) -> str:
    try:
        read_secret(reference)
    except ApplicationError as error:
        return error.message
    return ""


async def _standing(client: Client) -> list[Finding]:
    try:
        memo = await memo_of(client)
    except RPCError as error:
        return [warning(_SUBJECT, f"Temporal does not say how they stand: {error.message}", "ask again")]
    if memo is None:
        return [warning(_SUBJECT, "the estate lists targets, and nobody tells them", "failover notices start")]
    targets = read(NoticesStanding, memo).targets
    refused = sorted((name, one.why) for name, one in targets.items() if one.why)
    return [warning(_SUBJECT, f"{name} takes nothing: {why}", f"failover notices test {name}") for name, why in refused]
