"""Commands about what rejoins have kept aside: show it, remove one thing by its name."""

from __future__ import annotations

import asyncio

from gate.api import DiscardCommand, Kept, ProblemKind
from gate.commands.handler import Handler
from gate.loop import kept


class Keeping(Handler):
    """Looks through what is kept aside."""

    async def show(self) -> Kept:
        """Return what is there. Changes nothing."""
        settings = self._context.settings
        return Kept(member=settings.member, items=await asyncio.to_thread(kept.listed, settings))

    async def discard(self, command: DiscardCommand) -> Kept:
        """Remove what is kept as ``command.name``; one that is gone already is no error. Refused while a rejoin works."""
        context = self._context
        async with context.lock:
            self._accept(command)
            if context.work.is_going_on:
                words = "the directory is being rewound or copied at this moment, and may be kept aside: try again after it"
                raise self._refuse(ProblemKind.NOT_SERVING, words)
            try:
                removed = await asyncio.to_thread(kept.remove, context.settings, command.name)
            except OSError as error:
                words = f"{command.name} cannot be removed: {error.strerror or error}"
                raise self._refuse(ProblemKind.NOT_SERVING, words) from error
            context.log("discard", run=command.run, name=command.name, removed=removed)
        return await self.show()
