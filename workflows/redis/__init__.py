"""Failover of a Redis master."""
