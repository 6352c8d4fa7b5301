"""What a run leaves to do: a kind that code may decide by, and a sentence that only people read."""

from __future__ import annotations

from enum import StrEnum

from pydantic import model_validator

from activities.run.models.wire import Wire


class Todo(StrEnum):
    """What is to be done."""

    ROUTE = "route"
    """Writes do not reach the new leader yet."""
    VERIFY = "verify"
    EVICT = "evict"
    """Sessions may be left on the old leader."""
    RECONNECT = "reconnect"
    """An application, or all of them, may still look at the old leader."""
    REDUNDANCY = "redundancy"
    """A member does not follow the new leader yet."""
    FINISH = "finish"
    """The leader record still carries the mark of an unfinished transfer."""
    RESTORE_PRIMARY = "give writes back"
    """Nobody knows whether the candidate was promoted, or the undo failed: writes may be stopped."""
    RECOVER = "recover"
    """The run was ended from outside: the next start finishes or undoes what it left."""
    RECORD = "record"
    """The first leader record may have been written."""
    AGREE = "agree"
    REPLACE = "replace"
    REPAIR = "repair"
    """A pod, a workload or its Service is not healthy."""
    SCHEDULE = "schedule"
    """No node takes the pod."""
    MOVE = "move"
    """A leader that the node hosts was not failed over."""
    FENCE = "fence"
    """A pod waits for proof that its node is stopped."""
    UNCORDON = "uncordon"
    MACHINE = "machine"
    """The run may have had a machine ended."""
    PROMOTE = "promote"
    """Azure has not ended a promotion, or nobody knows how it ended."""
    OVERLAY = "overlay"
    """The overlay is not applied in the surviving region."""
    READY = "ready"
    """Pods of the surviving region are not Ready."""
    TRAFFIC = "traffic"
    """Clients are not led where they should be: to another region, or by a gateway as before."""
    CHECK = "check"
    """The application has not answered as it should."""
    START = "start"
    """An application of the region that is to serve asks for no pods yet."""
    SCALE = "scale"
    """An application of the lost region may be scaled to zero."""
    CHECKLIST = "checklist"
    """A mandatory item of what must be so after a success is not done."""
    OTHER = "other"
    """Of a run older than these kinds."""


class LeftToDo(Wire):
    """One thing that is left to do."""

    kind: Todo
    subject: str = ""
    """Member, application, pod or node that it is about."""
    message: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.message

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_run(cls, value: object) -> object:
        """Read the bare sentence that older histories hold; its first word was the kind of what decides."""
        if not isinstance(value, str):
            return value
        head = value.partition(":")[0]
        kinds = {kind.value: kind for kind in (Todo.ROUTE, Todo.VERIFY, Todo.EVICT, Todo.RECONNECT, Todo.FINISH)}
        restores = value.removeprefix(Todo.RESTORE_PRIMARY.value) != value
        return {"kind": Todo.RESTORE_PRIMARY if restores else kinds.get(head, Todo.OTHER), "message": value}


def todo(kind: Todo, message: str, subject: str = "") -> LeftToDo:
    """Return one entry."""
    return LeftToDo(kind=kind, subject=subject, message=message)


def kinds_of(left: tuple[LeftToDo, ...]) -> set[Todo]:
    """Return what kinds of things are left to do."""
    return {one.kind for one in left}
