"""Metrics, alerts and the dashboard, before a real Prometheus."""
