"""Failover to the other region."""
