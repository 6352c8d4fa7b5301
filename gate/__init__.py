"""The gate: PID 1 in front of each PostgreSQL server; the only thing that promotes, fences, demotes or rewinds it."""
