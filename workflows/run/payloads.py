"""The data converter of workers and commands: pydantic's, but what nobody can decode never wedges a run.

Where a type is asked for (steps and their results, queries), decoding stays as it is: what does not fit is an error. Where
anything may come (the input of workflows, signals and updates), a payload that is no JSON becomes ``Unreadable``, which
``workflows.run.inputs.parse`` answers with a sentence. An exception would make Temporal retry the decoding without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import DataConverter


@dataclass(frozen=True)
class Unreadable:
    """Stands for a payload that cannot be decoded."""

    what: str
    """What it is instead, to be read behind *got*."""


class _TolerantJson(PydanticJSONPlainPayloadConverter):
    """Reads what another version has written: fields that this one does not know are passed over.

    Writes no field that is ``None``, but in what is ``shown``: that is a quarter of a history. Such a field must be ``None``
    by default.
    """

    def to_payload(self, value: Any) -> Payload:  # noqa: ANN401 - SDK's signature
        """Return the payload."""
        return Payload(
            metadata={"encoding": self.encoding.encode()},
            data=to_json(value, exclude_none=not getattr(value, "shown", False)),
        )

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ANN401 - SDK's signature
        """Return the value."""
        return _adapter(type_hint or Any).validate_json(payload.data, extra="ignore")


@cache
def _adapter(type_hint: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type
    return TypeAdapter(type_hint)


class ForgivingPayloadConverter(PydanticPayloadConverter):
    """Encodes as pydantic's does; decodes anything that comes without a type to a value or to ``Unreadable``."""

    def __init__(self) -> None:
        """Put tolerant JSON in the place of pydantic's."""
        super().__init__()
        self.converters = {**self.converters, b"json/plain": _TolerantJson()}

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """Return one value per payload."""
        if type_hints:
            return super().from_payloads(payloads, type_hints)
        return [self._value_of(payload) for payload in payloads]

    def _value_of(self, payload: Payload) -> object:
        try:
            return super().from_payloads([payload])[0]
        except Exception as error:  # noqa: BLE001 - each encoding's decoder has errors of its own
            return Unreadable(_what(payload, error))


def _what(payload: Payload, error: Exception) -> str:
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    if encoding != "json/plain":
        return f"a payload with the encoding {encoding!r:.80}, which cannot be read"
    words = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return f"something that is no JSON ({words.removeprefix('Invalid JSON: ')})"


DATA_CONVERTER = DataConverter(payload_converter_class=ForgivingPayloadConverter)
