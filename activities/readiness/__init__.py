"""Readiness: what there is to check."""
