"""Steps of PostgreSQL procedures."""
