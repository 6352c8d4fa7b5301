"""What people send to Redis procedures."""

from __future__ import annotations

from typing import ClassVar

from workflows.run.models import FailoverMode, Request, ShortName, lock_of


class RedisFailoverRequest(Request):
    """Input of ``redis-failover``."""

    subject = "redis"
    names = "master"
    modes = ("planned", "forced")
    instead: ClassVar = {"to": "leave it out: Sentinel chooses"}

    master: ShortName
    """Sentinel's name of the master, as the estate lists it."""
    mode: FailoverMode
    attest: bool = False
    """Forced: ``by`` says that the old master is stopped, or is to be given up at any price."""
    member: ShortName | None = None
    """The master that is to be replaced, by its pod: refused where another one leads by now. Forced needs it to give up a
    master that answers."""


def redis_lock_id(master: str) -> str:
    """Return the workflow ID of a run that changes the deployment of ``master``."""
    return lock_of(RedisFailoverRequest.subject, master)
