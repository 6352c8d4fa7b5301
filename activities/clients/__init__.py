"""A Protocol and a real adapter per system; the only place that imports drivers."""
