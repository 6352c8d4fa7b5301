"""What every value that crosses between workflows and activities has in common.

What is written is strict: a field that does not exist is an error at the place that writes it. What is read is tolerant
(``read``): an older or newer version may have written a field that this one does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict

M = TypeVar("M", bound=BaseModel)


class Wire(BaseModel):
    """Base of everything that travels between workflows and activities."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shown: ClassVar[bool] = False
    """Whether people and their scripts read it in Temporal: such an answer has all its fields, also those that are unset."""

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with changes. TypeError: a field that does not exist."""
        if unknown := set(update or ()) - set(type(self).model_fields):
            message = f"{type(self).__name__} has no {', '.join(sorted(unknown))}"
            raise TypeError(message)
        return super().model_copy(update=update, deep=deep)


def read(model: type[M], value: object) -> M:
    """Return what another version may have written, as far as ``model`` knows it. ValidationError: it does not fit."""
    return model.model_validate(value, extra="ignore")


class RunId(Wire):
    """Who is acting: goes into records, gate logs and restart annotations."""

    workflow_id: str
    run_id: str

    def __str__(self) -> str:
        """Return ``WORKFLOW_ID/RUN_ID``."""
        return f"{self.workflow_id}/{self.run_id}"


def workflow_of(run: str) -> str:
    """Return the workflow ID in what ``str(RunId)`` has written; empty when ``run`` is no such text."""
    return run.rpartition("/")[0]
