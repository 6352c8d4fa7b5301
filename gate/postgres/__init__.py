"""The PostgreSQL server behind the gate: its process, its files, its SQL."""
