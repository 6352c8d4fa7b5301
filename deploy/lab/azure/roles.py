"""Role definitions as ``az role definition create`` takes them, and what they allow.

Roles are taken as assigned at the subscription: ``AssignableScopes`` says where a role may be assigned and is not compared
with the path of a request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from deploy.lab.azure.errors import ArmError


class Role(BaseModel):
    """One role definition."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(alias="Name")
    is_custom: bool = Field(alias="IsCustom", default=True)
    description: str = Field(alias="Description", default="")
    actions: tuple[str, ...] = Field(alias="Actions")
    not_actions: tuple[str, ...] = Field(alias="NotActions", default=())
    assignable_scopes: tuple[str, ...] = Field(alias="AssignableScopes", default=())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one from its file."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))

    def allows(self, action: str) -> bool:
        """Whether ``action`` is among the actions and not taken away; case does not matter and ``*`` is any text."""
        return _among(action, self.actions) and not _among(action, self.not_actions)


def _among(action: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), action, re.IGNORECASE) for one in patterns)


def must_be_allowed(roles: Sequence[Role] | None, action: str, scope: str, code: str = "AuthorizationFailed") -> None:
    """Return if one of ``roles`` allows ``action``, or if no roles are told at all. 403 otherwise."""
    if roles is None or any(role.allows(action) for role in roles):
        return
    raise ArmError(
        403,
        code,
        "The client 'emulator' with object id '00000000-0000-0000-0000-000000000001' does not have authorization to perform "
        f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials.",
        by="role",
    )
