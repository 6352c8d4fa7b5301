"""A refusal in Resource Manager's form: ``{"error": {"code": …, "message": …}}``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ArmError(Exception):
    """A request is refused; ``by`` tells the log which check refused it."""

    def __init__(
        self, status: int, code: str, message: str, by: str = "resource", details: Sequence[dict[str, Any]] = ()
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.by, self.details = status, code, message, by, details

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        return error_body(self.code, self.message, self.details)


def error_body(code: str, message: str, details: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Return an error in Resource Manager's form."""
    return {"error": {"code": code, "message": message, **({"details": list(details)} if details else {})}}


def no_resource(kind: str, name: str, group: str) -> ArmError:
    """Return the answer for a resource that does not exist."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
