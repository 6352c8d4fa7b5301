"""Steps of Redis procedures."""
