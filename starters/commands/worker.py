"""``worker``: the only command that loads the drivers of the systems that steps act on."""

from __future__ import annotations


def run_worker() -> int:
    """Serve procedures until told to end; return the exit code."""
    from workers.main import main  # noqa: PLC0415 - every other command starts without the drivers

    return main()
