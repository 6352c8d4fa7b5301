"""A run as its history tells it."""
