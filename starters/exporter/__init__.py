"""Prometheus metrics of all that Temporal knows of runs, detections and drills, read from outside of every worker."""
