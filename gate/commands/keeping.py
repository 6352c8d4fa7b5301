"""Commands about what rejoins have kept aside: show it, remove one thing by its name."""

from __future__ import annotations

import asyncio

from gate.api import DiscardCommand, Kept, ProblemKind
from gate.commands.handler import Context, Handler
from gate.loop import kept


class Keeping(Handler):
    """Looks through what is kept aside."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._clearing = asyncio.Lock()

    async def show(self) -> Kept:
        """Return what is there. Changes nothing."""
        settings = self._context.settings
        return Kept(member=settings.member, items=await asyncio.to_thread(kept.listed, settings))

    async def discard(self, command: DiscardCommand) -> Kept:
        """Remove what is kept as ``command.name``; one that is gone already is no error. Refused while a rejoin works.

        Decisions wait for the renaming only: to delete a large directory takes longer than a primary may go unsupervised.
        """
        context = self._context
        try:
            async with context.lock:
                self._accept(command)
                if context.work.is_going_on:
                    words = "the directory is being rewound or copied, and may be kept aside: try again after that"
                    raise self._refuse(ProblemKind.NOT_SERVING, words)
                removed = kept.take_off(context.settings, command.name)
            context.log("discard", run=command.run, name=command.name, removed=removed)
            async with self._clearing:
                await asyncio.to_thread(kept.clear, context.settings)
        except OSError as error:
            words = f"{command.name} cannot be removed: {error.strerror or error}"
            raise self._refuse(ProblemKind.NOT_SERVING, words) from error
        return await self.show()
