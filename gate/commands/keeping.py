"""Commands about what rejoins have kept aside: show it, remove one thing by its name."""

from __future__ import annotations

import asyncio

from gate.api import DiscardCommand, Kept, ProblemKind
from gate.commands.handler import Handler
from gate.loop import kept


class Keeping(Handler):
    """Looks through what is kept aside."""

    def begin(self) -> None:
        """Delete what a gate that was killed had taken off the list."""
        kept.clear(self._context.settings)

    async def show(self) -> Kept:
        """Return what is there. Changes nothing."""
        settings = self._context.settings
        return Kept(member=settings.member, items=await asyncio.to_thread(kept.listed, settings))

    async def discard(self, command: DiscardCommand) -> Kept:
        """Take what is kept as ``command.name`` off the list, and begin to delete it; refused while a rejoin works.

        One that is gone already is no error. Decisions wait for the renaming only: to delete a large directory takes longer
        than a primary may go unsupervised.
        """
        context = self._context
        async with context.lock:
            await self._accept(command)
            if context.work.is_going_on:
                words = "the directory is being rewound or copied, and may be kept aside: try again after that"
                raise self._refuse(ProblemKind.NOT_SERVING, words)
            try:
                removed = kept.take_off(context.settings, command.name)
            except OSError as error:
                words = f"{command.name} cannot be removed: {error.strerror or error}"
                raise self._refuse(ProblemKind.NOT_SERVING, words) from error
        context.log("discard", run=command.run, name=command.name, removed=removed)
        self.begin()
        return (await self.show()).model_copy(update={"removed": removed})
