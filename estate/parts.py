"""What every entry of the estate is made of: names, references to secrets, and the rule that unknown keys are refused.

Others take these from ``estate.base``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

MASTER_PATTERN = r"^[A-Za-z0-9_][-A-Za-z0-9._]*$"
"""Names of Redis masters are Sentinel's, which allows more; all other names fit it as well."""

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=253)]
MasterName = Annotated[str, Field(pattern=MASTER_PATTERN, max_length=253)]
Subscription = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
"""ID of an Azure subscription."""


def _is_reference(text: str) -> str:
    scheme, _, rest = text.partition(":")
    if scheme not in {"env", "file"} or not rest:
        message = "must be a reference, env:NAME or file:PATH; never the secret itself"
        raise ValueError(message)
    return text


SecretReference = Annotated[str, AfterValidator(_is_reference)]


class EstateError(Exception):
    """The estate cannot be used, or does not list what was asked for; one sentence with the remedy."""


class Entry(BaseModel):
    """Base of everything in the file; its words never change while a run goes on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
