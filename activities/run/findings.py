"""Kinds of finding, each one line of doctor's answer."""

from __future__ import annotations

from activities.run.models.doctor import Finding, Severity


def ok(subject: str, message: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(severity=Severity.OK, subject=subject, message=message)


def warning(subject: str, message: str, remedy: str) -> Finding:
    """Return a finding that does not stop a switch."""
    return Finding(severity=Severity.WARNING, subject=subject, message=message, remedy=remedy)


def fault(subject: str, message: str, remedy: str) -> Finding:
    """Return a finding that stops a switch or makes it unsafe."""
    return Finding(severity=Severity.FAULT, subject=subject, message=message, remedy=remedy)


def outage(subject: str, message: str, remedy: str) -> Finding:
    """Return the fault that nobody can write to ``subject``."""
    return Finding(severity=Severity.FAULT, subject=subject, message=message, remedy=remedy, outage=True)
