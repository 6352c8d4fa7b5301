"""Procedures that move traffic: to another region, and away from an unhealthy backend."""
