"""Telling people of runs: what is looked at, and how it is sent."""
