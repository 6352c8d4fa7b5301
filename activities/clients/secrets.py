"""Secrets by reference, read at the moment of use: a rotated password needs no restart, and nothing keeps it."""

from __future__ import annotations

import os
from pathlib import Path

from activities.run.errors import Refusal, refuse


def read_secret(reference: str) -> str:
    """Return the secret behind ``env:NAME`` or ``file:PATH``, without surrounding white space.

    Raises:
        ApplicationError: ``SecretMissing``; names the reference, never a value.

    """
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(rest, "")
        remedy = f"set the variable {rest} for the worker"
    else:
        try:
            value = Path(rest).read_text(encoding="utf-8")
        except OSError as error:
            remedy = f"the file cannot be read: {error.strerror}; mount the Secret there"
            raise refuse(Refusal.SECRET_MISSING, f"secret {reference}: {remedy}") from error
        remedy = "the file is empty; fill the Secret's key"
    if not value.strip():
        raise refuse(Refusal.SECRET_MISSING, f"secret {reference} is missing: {remedy}")
    return value.strip()
