"""Steps of failure detection."""
