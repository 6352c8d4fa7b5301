"""Until when a primary may accept writes, and what stops one that may not."""
