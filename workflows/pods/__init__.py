"""Failover of a workload's pods."""
