"""What a reference client raises when a write was not acknowledged. Each says whether it may have been executed."""

from __future__ import annotations


class NotAcknowledgedError(Exception):
    """No server acknowledged it within the deadline."""


class UnavailableError(NotAcknowledgedError):
    """It was not executed, and is safe to send again. The message says what stood in the way."""


class InDoubtError(NotAcknowledgedError):
    """It was sent and may have been executed: the connection ended, or the answer did not come, before anybody could tell.

    Look for its effect before you send it again, or make it a write that may be executed twice.
    """


class AccessDeniedError(NotAcknowledgedError):
    """It was not executed: the password is wrong or missing. Sending it again does not help."""
