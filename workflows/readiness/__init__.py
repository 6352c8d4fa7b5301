"""Readiness: dry runs of every procedure for every target, again and again."""
