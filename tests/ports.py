"""Ports for servers on loopback addresses."""

from deploy.lab.ports import free_port, is_free

__all__ = ["free_port", "is_free"]
