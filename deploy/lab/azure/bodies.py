"""What may be sent, strictly: an unknown property is refused, an enumeration is read in any case.

The two generations of Microsoft's own examples write ``Switchover`` and ``switchover``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from deploy.lab.azure.errors import ArmError


class AnyCase(StrEnum):
    """An enumeration that is read without regard to case."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((one for one in cls if isinstance(value, str) and one.value.lower() == value.lower()), None)


class OnOff(AnyCase):
    """Whether something takes part."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Sent(BaseModel):
    """A body, or a part of one. What is absent is not set; what is null is set, where null is allowed."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)

    def given(self) -> dict[str, Any]:
        """Return the members that were sent. Objects among them are whole, with nulls for what they do not say."""
        return self.model_dump(mode="json", by_alias=True, include=self.model_fields_set)


Model = TypeVar("Model", bound=Sent)


def read(model: type[Model], body: Any, code: str = "InvalidParameterValue") -> Model:  # noqa: ANN401 - any JSON
    """Return a body as ``model``; 400 for one that it is not, with ``code`` if a value is the reason."""
    try:
        return model.model_validate({} if body is None else body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "body"
        if first["type"] == "extra_forbidden":
            text = f"Could not find member '{first['loc'][-1]}' on object of type '{model.__name__}'. Path '{place}'."
            raise ArmError(
                400, "InvalidRequestContent", f"The request content was invalid: '{text}'", by="contract"
            ) from None
        text = f"Invalid value given for parameter {place}. {first['msg']}."
        raise ArmError(400, code, text, by="contract") from None
