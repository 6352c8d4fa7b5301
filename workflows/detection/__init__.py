"""Failure detection: probes are asked, counted, and a policy says what follows."""
