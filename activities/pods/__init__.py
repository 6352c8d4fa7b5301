"""Steps of pod procedures."""
