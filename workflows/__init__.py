"""Deterministic procedures, one per file."""
