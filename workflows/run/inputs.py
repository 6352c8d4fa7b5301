"""Reading a workflow's input so that no input can leave it Running for ever.

A signature with a typed parameter makes Temporal retry the decoding of bad input without end, where nobody looks. So
workflows take ``*args``, parse them here inside ``@workflow.init``, and fail at once with a sentence. What is no JSON at all
arrives here as ``Unreadable``.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.exceptions import ApplicationError

from activities.run.errors import Refusal, refuse
from workflows.run.payloads import Unreadable

M = TypeVar("M", bound=BaseModel)
_COMMON = ("run", "by", "reason")
_SIGNED = ("signature", "expires")


def parse(model: type[M], args: tuple[Any, ...]) -> tuple[M | None, ApplicationError | None]:
    """Return (request, None), or (None, the error to raise from ``run``). Never raises."""
    keys = ", ".join(_keys(model))
    if len(args) != 1 or not isinstance(args[0], dict):
        return None, refuse(Refusal.BAD_INPUT, f"input: expected one JSON object with the keys {keys}; got {_what(args)}")
    try:
        return model.model_validate_json(json.dumps(args[0])), None
    except ValidationError as error:
        return None, refuse(Refusal.BAD_INPUT, "; ".join(_sentence(fault, keys) for fault in error.errors()))


def _keys(model: type[BaseModel]) -> list[str]:
    """Return the fields, those that all procedures have after those that tell what this one is about; signatures last."""
    fields = sorted(model.model_fields, key=_SIGNED.__contains__)
    return sorted(fields, key=_COMMON.__contains__) if set(_COMMON) <= set(fields) else fields


def taken(request: M | None, fault: ApplicationError | None) -> M:
    """Return the request that ``parse`` has read. ApplicationError: its error."""
    if request is None:
        raise fault or refuse(Refusal.BAD_INPUT, "input: missing")
    return request


def said(model: type[M], args: tuple[Any, ...]) -> M:
    """Return what an update's arguments say.

    Raises:
        ValueError: nothing that can be read; the message names the field. A typed parameter would let Temporal answer for
            us, with "Failed decoding arguments".

    """
    word, fault = parse(model, args)
    if word is None:
        raise ValueError(fault.message if fault else "input: missing")
    return word


def _what(args: tuple[Any, ...]) -> str:
    if len(args) != 1:
        return f"{len(args)} arguments"
    return args[0].what if isinstance(args[0], Unreadable) else f"a {type(args[0]).__name__}"


def _sentence(fault: Any, keys: str) -> str:  # noqa: ANN401 - pydantic's ErrorDetails is not exported for runtime use
    where = ".".join(str(part) for part in fault["loc"]) or "input"
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key; known keys are {keys}"
    if fault["type"] == "missing":
        return f'{where}: missing; give it, for example {{"{where}": …}}'
    return f"{where}: {fault['msg'][0].lower()}{fault['msg'][1:]}, got {fault['input']!r:.80}"
