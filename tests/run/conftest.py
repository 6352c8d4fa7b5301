"""Runs of every kind are tried with a PostgreSQL cluster."""

from tests.postgres.conftest import asking, bench, bereft

__all__ = ["asking", "bench", "bereft"]
