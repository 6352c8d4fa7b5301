"""Starts, stops and configures one member's server: whom it follows, whom commits wait for, whom it lets in.

The door: a former primary turns applications away for a while after the route has left it (``closed_after_route``), so that
no pool keeps a session on a server that takes no writes any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gate.lease.peers import Peers
from gate.loop import revert
from gate.loop.state import Store
from gate.postgres.configuration import write_configuration
from gate.postgres.controldata import ControlFile, is_standbys
from gate.postgres.least_settings import too_small
from gate.postgres.server import Server
from gate.postgres.synchronous import Synchronous
from gate.settings import Settings


@dataclass
class Serving:
    """Of one member."""

    settings: Settings
    store: Store
    server: Server
    peers: Peers
    control: ControlFile
    synchronous: Synchronous
    log: Callable[..., None]
    following: str = ""
    address: str | None = None
    """Where the server looks for the member that it follows; ``None``: by name."""
    closed: bool = False
    """Whether the server that runs turns applications away."""
    closed_until: float = 0.0

    async def start(self, *, leader: str, sync: tuple[str, ...] = ()) -> None:
        """Start the server as a standby of ``leader``, or (empty) as what its directory is.

        A standby's directory is never started as a primary: it starts in recovery and is promoted onto a new timeline.
        Neither is one that is to lead again without what was written since, nor one whose promotion was cut short
        (``gate.loop.revert``).
        """
        if leader or revert.is_pending(self.settings.data, self.store.state) or await self._was_cut_short():
            (self.settings.data / "standby.signal").touch()
        configuration = self._configure(leader=leader, sync=sync)
        await self.server.start(configuration, await self._overrides(configuration))

    async def _overrides(self, configuration: Path) -> dict[str, int]:
        """Return what a directory in recovery must be started with beside its configuration."""
        if not is_standbys(self.settings.data):
            return {}
        await self.control.refresh()
        overrides = await too_small(self.settings, configuration, self.control.last)
        if overrides:
            more = ", ".join(f"{name}={value}" for name, value in overrides.items())
            self.log(f"starts with its primary's settings, which are higher than its own: {more}")
        return overrides

    async def _was_cut_short(self) -> bool:
        """Whether a promotion ended in the middle, by the control file as it is now: what was read earlier may be old."""
        await self.control.refresh()
        cut_short = revert.was_cut_short(self.settings, self.control.last)
        if cut_short:
            self.log("ITS PROMOTION WAS CUT SHORT: goes through recovery again, onto a timeline of its own")
        return cut_short

    async def follow(self, leader: str) -> None:
        """Let a standby that runs receive WAL from ``leader``, wherever its pod is now; empty: from nobody."""
        await self.peers.locate(leader)
        self._configure(leader=leader)
        self.server.reload()

    @property
    def has_moved(self) -> bool:
        """Whether the member that the server follows is known to be at another address than the server was told."""
        return self.peers.known(self.following) != self.address

    def wait_for(self, names: tuple[str, ...]) -> None:
        """Let commits of a primary that runs wait for any one of ``names``."""
        write_configuration(self.settings, leader="", sync=names)
        self.server.reload()

    def close_for_a_while(self) -> None:
        """Turn applications away from the next start on: the route has just left this member."""
        self.closed_until = time.monotonic() + self.settings.closed_after_route

    @property
    def may_open(self) -> bool:
        """Whether applications are turned away although their time is over."""
        return self.closed and time.monotonic() >= self.closed_until

    def open(self) -> None:
        """End that time. Safe to repeat."""
        self.closed_until = 0.0
        if self.closed:
            self._configure(leader=self.following, sync=self.synchronous.names)
            self.server.reload()
            self.log("open to applications")

    def _configure(self, *, leader: str, sync: tuple[str, ...] = ()) -> Path:
        """Write the configuration of a server that follows ``leader``, or (empty) nobody; return its path."""
        self.following = leader
        if self.settings.durability == "strict" and not sync:  # a standby that is promoted must not begin without
            sync = self.settings.peers
        self.synchronous.begin(sync)
        self.closed = bool(leader) and time.monotonic() < self.closed_until
        self.address = self.peers.known(leader)
        return write_configuration(
            self.settings, leader=leader, sync=sync, address=self.address, closed=self.closed,
            reverts=not leader and revert.is_pending(self.settings.data, self.store.state),
        )  # fmt: skip
