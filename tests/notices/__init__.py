"""Telling people of runs."""
