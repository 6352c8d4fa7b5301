"""The gate's loop: look, decide, act."""
