"""``metrics``: a service beside the workers that tells Prometheus of runs, detection and drills."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated

import typer

from starters.client.answers import Exit

_Address = Annotated[
    str, typer.Option("--listen", metavar="ADDRESS:PORT", envvar="FAILOVER_EXPORTER", help="Where Prometheus reads them.")
]
_Every = Annotated[float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Time between two looks at Temporal.")]
_HIGHEST_PORT = 65535


def metrics_command(*, listen: _Address = "127.0.0.1:9465", every: _Every = 15.0) -> None:
    """Serve Prometheus metrics (a service, not for people).

    Reads Temporal only; no worker is asked for it, and no run is slowed. One instance is enough.
    """
    address, _, port = listen.rpartition(":")
    if not (address and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        typer.echo(f"failover: listen: {listen!r} is no ADDRESS:PORT; for example 0.0.0.0:9465", err=True)
        raise typer.Exit(int(Exit.USAGE))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    from starters.exporter.serving import serve  # noqa: PLC0415 - every other command starts without it

    try:
        asyncio.run(serve(address, int(port), every))
    except OSError as error:
        typer.echo(f"failover: listen: {listen} cannot be used: {error.strerror or error}; name another port", err=True)
        raise typer.Exit(int(Exit.USAGE)) from error
