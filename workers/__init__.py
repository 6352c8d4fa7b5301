"""Composition root: what runs where a worker runs."""
