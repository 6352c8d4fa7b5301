"""Telling people of runs: what is new, whom it is told, and in which words."""
