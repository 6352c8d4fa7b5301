"""The only I/O: idempotent steps that look, decide, act and confirm; one system per file."""
