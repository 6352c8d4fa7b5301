"""What a standby's gate asks the leader's before it ends: that commits no longer wait for this standby.

Without that, every commit waits from the moment at which the standby's server stops until its leader has noticed that it is
gone, or until it is back: seconds, for each standby that is restarted or evicted in good order.
"""

from __future__ import annotations

import asyncio

from gate.api import GateStatus, LeaveCommand
from gate.commands.handler import Handler

_LOOKS, _LOOK_AGAIN_SECONDS = 150, 0.01


class Leaving(Handler):
    """Lets a standby go."""

    async def leave(self, command: LeaveCommand) -> GateStatus:
        """Answer once commits do not wait for the member; if that takes long, answer all the same: it ends anyway."""
        synchronous = self._context.synchronous
        synchronous.let_go(command.member)
        self._context.kick.set()
        self._context.log("a standby says that it ends", member=command.member)
        for _ in range(_LOOKS):
            if command.member not in synchronous.names:
                break
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return self._context.status()
