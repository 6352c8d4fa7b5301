"""Procedures of a PostgreSQL cluster, one file a registered workflow; ``specs`` says what others need to know."""
