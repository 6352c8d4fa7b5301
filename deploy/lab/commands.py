"""``failover lab …``: a whole platform on one Linux machine, to try, to break and to measure."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from deploy.lab import breaking, cluster, existing
from deploy.lab.binaries import ensure_binaries
from deploy.lab.demo import demo as run_demo
from deploy.lab.measuring import load as running_load
from deploy.lab.names import Lab, LabError
from deploy.lab.signposts import signposts
from deploy.lab.workload import annotation
from starters.answers import Output
from starters.arguments import OutputOption

lab = typer.Typer(help="A whole platform on this machine, to try, to break and to measure.", no_args_is_help=True)
Name = Annotated[str, typer.Option("--name", help="Name of the lab; several can run side by side.")]
_FAILED = 1


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn what a person must know into one sentence and exit code 1."""
    try:
        yield
    except LabError as error:
        typer.echo(f"lab: {error}", err=True)
        raise typer.Exit(_FAILED) from error


@lab.command()
def up(
    name: Name = "lab",
    context: Annotated[str | None, typer.Option(help="Use this existing cluster (kubeconfig context) instead.")] = None,
    image: Annotated[str | None, typer.Option(help="With --context: image that holds PostgreSQL and this product.")] = None,
    temporal: Annotated[str | None, typer.Option(help="With --context: HOST:PORT of Temporal for its pods.")] = None,
) -> None:
    """Start it, or repair what is missing. Harmless when it runs already; works after a crash or a reboot."""
    with _one_sentence():
        if context is not None:
            existing.install(context, image, temporal, typer.echo)
            return
        one = Lab(name)
        cluster.up(one, typer.echo)
        typer.echo(signposts(one))


@lab.command()
def status(*, name: Name = "lab", output: OutputOption = Output.TEXT) -> None:
    """Say which parts run, and who leads PostgreSQL. Exit code 1 when a part is missing."""
    with _one_sentence():
        one = Lab(name)
        parts = cluster.status(one)
        up_at_all = any(parts.values())
        leader, sync = "", ""
        if up_at_all:
            binaries = ensure_binaries(typer.echo)
            leader, sync = annotation(one, binaries, "leader"), annotation(one, binaries, "sync")
        if output is Output.JSON:
            typer.echo(json.dumps({"parts": parts, "leader": leader, "sync": sync}))
        elif not up_at_all:
            typer.echo(f"lab {name} does not run; start it with: failover lab up")
        else:
            for part, runs in parts.items():
                typer.echo(f"  {part:<22} {'runs' if runs else 'MISSING (failover lab up brings it back)'}")
            typer.echo(f"  PostgreSQL: {leader or 'nobody'} leads, commits wait for {sync or 'nobody'}\n{signposts(one)}")
        raise typer.Exit(0 if all(parts.values()) else _FAILED)


@lab.command(name="break")
def break_command(
    what: Annotated[str, typer.Argument(help="; ".join(f"{key}: {text}" for key, text in breaking.FAULTS.items()))],
    target: Annotated[str, typer.Argument(help="Which one, where there are several.")] = "",
    name: Name = "lab",
) -> None:
    """Break one thing."""
    with _one_sentence():
        typer.echo(breaking.break_it(Lab(name), ensure_binaries(typer.echo), what, target))


@lab.command()
def heal(name: Name = "lab") -> None:
    """Undo every break."""
    with _one_sentence():
        breaking.heal(Lab(name))


@lab.command()
def load(
    *,
    name: Name = "lab",
    seconds: Annotated[float, typer.Option(min=1, help="How long; Ctrl-C ends it earlier.")] = 3600,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write rows and call the sample API until Ctrl-C; then say what was lost, refused, and how long writes stood still."""
    with _one_sentence(), running_load(Lab(name), ensure_binaries(typer.echo)) as running:
        if output is Output.TEXT:
            typer.echo("writing a row every 20 ms, calling the API every 50 ms; Ctrl-C ends it and prints what was seen")
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            typer.echo("")
        seen = running.stop()
    if output is Output.JSON:
        typer.echo(json.dumps(seen))
        return
    typer.echo(f"  rows acknowledged     {seen['rows']}, lost {seen['lost']}, failed {sum(seen['row_errors'].values())}")
    typer.echo(f"  longest without one   {seen['outage_seconds'] * 1000:.0f} ms")
    typer.echo(f"  API calls             {seen['api_ok']} answered, {len(seen['api_errors'])} errors")
    typer.echo(f"  two writers at once   {len(seen['two_writers'])} times in {sum(seen['checks'].values())} checks")


@lab.command()
def demo(name: Name = "lab") -> None:
    """Bring the lab up, move the database there and back under load, and print both reports."""
    with _one_sentence():
        raise typer.Exit(run_demo(Lab(name)))


@lab.command()
def down(name: Name = "lab") -> None:
    """End everything of it: processes, mounts, namespaces, links, cgroups and files. The built programs stay cached."""
    with _one_sentence():
        cluster.down(Lab(name), typer.echo)
