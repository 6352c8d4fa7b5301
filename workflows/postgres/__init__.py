"""Procedures of a PostgreSQL cluster, one file a registered workflow."""
