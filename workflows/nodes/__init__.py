"""Draining a node, or bringing back elsewhere what ran on a lost one."""
