"""Workflows of drills."""
