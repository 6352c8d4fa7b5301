"""What the workflow that tells people of runs asks for: what is new, and to send a text to a target."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.notice_ports import Sender, Unsent
from activities.notices.looking import Runs
from activities.notices.models import Looked, LookRequest, Message, SendRequest, Sent, Settings, TargetsRequest
from activities.notices.plain import plain
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.inventory import Inventory
from activities.run.polling import sleep
from activities.run.postures import CHANGE, READ, WAIT, lasting
from estate.notices import Notifications
from languages.choice import translated

_SENDING = lasting(CHANGE, attempt=timedelta(seconds=90), within=timedelta(minutes=3))
_BETWEEN_LOOKS = timedelta(seconds=5)


class NoticesActivities:
    """Looks at runs, and sends."""

    def __init__(self, inventory: Inventory, sender: Sender) -> None:
        """Find targets in ``inventory``."""
        self._inventory, self._sender = inventory, sender

    @step("notices.look", WAIT, lambda _: "look until there is something to tell")
    async def look(self, request: LookRequest) -> Looked:
        """Look again and again until a run or the estate is other than known, or the patience is over. Changes nothing.

        Raises:
            RPCError: Temporal does not answer; it is tried again.

        """
        runs = Runs(activity.client(), activity.info().task_queue)
        known = {one.run_id: one for one in request.known}
        since = request.since or datetime.now(UTC)
        patience = asyncio.get_running_loop().time() + request.patience_seconds
        while True:
            at, section = datetime.now(UTC), self._section()
            settings = _settings(section)
            changed, gone = await runs.other_than(known, since)
            left = patience - asyncio.get_running_loop().time()
            if changed or gone or settings != request.settings or left <= 0:
                return Looked(at=at, settings=settings, changed=tuple(changed), gone=tuple(gone))
            pause = section.look_every if section else _BETWEEN_LOOKS
            await sleep(min(pause.total_seconds(), left))

    @step("notices.targets", READ, lambda _: "whom the estate lists to be told")
    async def targets(self, request: TargetsRequest) -> Settings:
        """Return the estate's section, of one target or of all. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate``, it has no such section; ``BadInput``, no such target.

        """
        settings = _settings(self._inventory.estate().notifications)
        if settings is None:
            raise refuse(Refusal.BAD_ESTATE, "estate: notifications: missing; add it with the targets that are to be told")
        if request.target and request.target not in settings.targets:
            known = ", ".join(sorted(settings.targets))
            raise refuse(Refusal.BAD_INPUT, f"target: notifications list no {request.target!r}; they list {known}")
        chosen = {name: events for name, events in settings.targets.items() if request.target in {"", name}}
        return settings.model_copy(update={"targets": chosen})

    @step("notices.send", _SENDING, lambda request: f"tell {request.target}: {len(request.messages)}")
    async def send(self, request: SendRequest) -> Sent:
        """Send until one is not taken; say how many were. Never raises for a target.

        Who is killed in between has sent some that are sent again: each is sent at least once.
        """
        section = self._section()
        if section is None or request.target not in section.targets:
            return Sent(count=0, why=f"the estate does not list {request.target} any more")
        for count, message in enumerate(request.messages):
            if why := await self._sent(request.target, section, message):
                return Sent(count=count, why=why)
        return Sent(count=len(request.messages))

    async def _sent(self, target: str, section: Notifications, message: Message) -> str:
        """Send it in the estate's language. Return why it was not taken; empty: it was."""
        address = section.targets[target].url
        try:
            title, body = (translated(text, section.language) for text in (message.title, message.body))
            await self._sender.send(target, address, title, body)
        except (Unsent, ApplicationError) as error:
            return plain(str(error))
        return ""

    def _section(self) -> Notifications | None:
        """Return the section as the newest readable estate has it."""
        estate = self._inventory.latest
        return estate.notifications if estate else None


def _settings(section: Notifications | None) -> Settings | None:
    if section is None:
        return None
    return Settings(
        targets={name: target.events for name, target in section.targets.items()},
        **section.model_dump(exclude={"targets", "look_every", "language"}),
    )
