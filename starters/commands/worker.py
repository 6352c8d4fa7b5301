"""``worker``: the only command that loads the drivers of the systems that steps act on."""

from __future__ import annotations

import typer


def worker_command() -> None:
    """Carry out the procedures (a service, not for people).

    Run two or more; they share the work. Needs FAILOVER_ESTATE, the path of the inventory file.
    """
    raise typer.Exit(run_worker())


def run_worker() -> int:
    """Carry out procedures until told to end; return the exit code."""
    from workers.main import main  # noqa: PLC0415 - every other command starts without the drivers

    return main()
