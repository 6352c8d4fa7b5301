"""How a system failed to answer, and what that amounts to: the same words for every subject."""

from __future__ import annotations

from enum import StrEnum

from activities.run.models.wire import Wire


class Silence(StrEnum):
    """How a witness failed to get an answer: silence has kinds."""

    REFUSED = "refused"
    """The machine answers, and nobody listens there."""
    NO_ANSWER = "no answer"
    """The connection was taken, then nothing."""
    NO_CONNECTION = "no connection"
    """Not even that: no route, no such name, or packets vanish."""
    TURNED_AWAY = "turned away"
    """Somebody answered, with a no: wrong password, starting up."""
    NO_ROOM = "no connection left"
    """Somebody answered: all connections are taken."""
    UNKNOWN = "unknown"

    @property
    def is_answer(self) -> bool:
        """Whether somebody is there."""
        return self in {Silence.TURNED_AWAY, Silence.NO_ROOM}


class Condition(StrEnum):
    """What has become of a leader or a node."""

    ALIVE = "alive"
    """It does its work, or at least one witness has just had an answer from it."""
    BUSY = "busy"
    """It answers, and turns clients away: no connection left."""
    STARTING = "starting"
    """It is being started, or is recovering from a crash."""
    STOPPED = "stopped"
    """Its gate says that the server is down."""
    DEAD = "dead"
    """Nobody is there any more where it ran: connections are refused, or its container has ended."""
    DOWN = "down"
    """Redis: a majority of the Sentinels says so."""
    FROZEN = "frozen"
    """Its processes are there and do nothing."""
    UNREACHABLE = "unreachable"
    """No witness has had any answer: it may run well, where nobody can see it."""
    RUNNING = "running"
    """Nodes: its kubelet is silent, and its machine runs."""
    SILENT = "silent"


LIVING = {Condition.ALIVE, Condition.BUSY}


class Diagnosis(Wire):
    """What has become of a leader that a forced failover is asked for."""

    condition: Condition
    reason: str
    """One sentence."""
    gate_decides: bool = False
    """Its own gate is there and will say whether the server is stopped: nobody else is asked."""
    evidence: tuple[str, ...] = ()
    """One line a witness."""
