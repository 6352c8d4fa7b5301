"""``failover lab …``: a whole platform on one Linux machine, to try, to break and to measure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from deploy.lab import breaking, cluster, existing
from deploy.lab.binaries import built_binaries, ensure_binaries
from deploy.lab.demo import DEMOS
from deploy.lab.demo import demo as run_demo
from deploy.lab.measuring import load as running_load
from deploy.lab.names import Lab, LabError, LabUsageError
from deploy.lab.packages import ensure_packages, must_be_root
from deploy.lab.regions import commands as two
from deploy.lab.regions.demo import region_demo
from deploy.lab.regions.faults import FAULTS as OF_REGIONS
from deploy.lab.regions.names import Regions
from deploy.lab.regions.signposts import signposts as regions_signposts
from deploy.lab.regions.signposts import view as regions_view
from deploy.lab.sentinels import redis_master
from deploy.lab.signposts import environment, signposts
from deploy.lab.workload import annotation
from starters.client.answers import Exit, Output
from starters.commands.arguments import OutputOption

_REGION = "region"
_PLATFORM, _REGIONS = "platform", "regions"
_DEMOS = " | ".join((*DEMOS, _REGION))
lab = typer.Typer(help="A whole platform on this machine, to try, to break and to measure.", no_args_is_help=True)
Name = Annotated[str, typer.Option("--name", help="Name of the lab; several can run side by side.")]


def _end(output: Output, code: Exit, data: dict[str, Any], text: str = "") -> NoReturn:
    """Print the answer, as one JSON document if that is asked for, and end the command."""
    if output is Output.JSON:
        typer.echo(json.dumps({"exit_code": int(code), **data}))
    elif text:
        typer.echo(text)
    raise typer.Exit(int(code))


@contextmanager
def _one_sentence(output: Output = Output.TEXT) -> Iterator[None]:
    """Turn what a person must know into one sentence: exit code 2 if it was typed wrongly, else 1."""
    try:
        yield
    except LabError as error:
        code = Exit.USAGE if isinstance(error, LabUsageError) else Exit.FAILED
        if output is Output.TEXT:
            typer.echo(f"lab: {error}", err=True)
        _end(output, code, {"error": str(error)})


def _progress(output: Output) -> Callable[[str], None]:
    """Return how to say what is going on: beside the JSON document, never in it."""
    return partial(typer.echo, err=output is Output.JSON)


def _running(name: str) -> Lab:
    """Return the lab if it runs and may be touched.

    Raises:
        LabError: it does not, or not by this user.
    """
    one = Lab(name)
    must_be_root()
    cluster.must_run(one)
    return one


@lab.command()
def up(  # noqa: PLR0913 - what a person may type
    what: Annotated[str, typer.Argument(help="platform: one cluster; regions: two, and an emulated Azure.")] = _PLATFORM,
    *,
    name: Name = "lab",
    context: Annotated[str | None, typer.Option(help="Use this existing cluster (kubeconfig context) instead.")] = None,
    image: Annotated[str | None, typer.Option(help="With --context: image that holds PostgreSQL and this product.")] = None,
    temporal: Annotated[str | None, typer.Option(help="With --context: HOST:PORT of Temporal for its pods.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Start it, or repair what is missing. Harmless when it runs already; works after a crash or a reboot."""
    with _one_sentence(output):
        say = _progress(output)
        if context is not None:
            existing.install(context, image, temporal, say)
            _end(output, Exit.DONE, {"context": context})
        if image is not None or temporal is not None:
            raise LabUsageError("context: missing; --image and --temporal are for an existing cluster only")
        if what not in {_PLATFORM, _REGIONS}:
            raise LabUsageError(f"what: {what!r} is neither {_PLATFORM} nor {_REGIONS}")
        if what == _REGIONS:
            regions = Regions(name)
            facts = two.up(regions, say)
            _end(output, Exit.DONE, {"lab": name, "regions": facts}, regions_signposts(regions, facts))
        one = Lab(name)
        cluster.up(one, say)
        data = {"lab": name, "environment": environment(one), "ui": f"http://127.0.0.1:{one.ports['ui']}"}
        _end(output, Exit.DONE, data, signposts(one))


@lab.command()
def status(*, name: Name = "lab", output: OutputOption = Output.TEXT) -> None:
    """Say which parts run, who leads the databases, who serves customers. Exit code 1 when a part is missing."""
    with _one_sentence(output):
        one, regions = Lab(name), two.find(name)
        must_be_root()
        parts = cluster.status(one)
        data: dict[str, Any] = {"parts": parts, "leader": "", "sync": "", "redis_master": ""}
        texts: list[str] = []
        runs: list[bool] = []
        if any(parts.values()):
            binaries = built_binaries()
            data |= {key: annotation(one, binaries, key) for key in ("leader", "sync")}
            data["redis_master"] = redis_master(one, binaries)
        if regions is None or any(parts.values()):
            texts.append(_status_view(one, parts, data["leader"], data["sync"], data["redis_master"]))
            runs += parts.values()
        if regions is not None:
            data["regions"] = facts = two.status(two.running(name))
            texts.append(regions_view(regions, facts))
            runs += facts["parts"].values()
        _end(output, Exit.DONE if all(runs) else Exit.FAILED, data, "\n".join(texts))


def _status_view(one: Lab, parts: dict[str, bool], leader: str, sync: str, master: str) -> str:
    if not any(parts.values()):
        return f"lab {one.name} does not run; start it with: failover lab up{one.option}"
    missing = f"MISSING (failover lab up{one.option} brings it back)"
    lines = [f"  {part:<22} {'runs' if runs else missing}" for part, runs in parts.items()]
    lines += [f"  PostgreSQL: {leader or 'nobody'} leads, commits wait for {sync or 'nobody'}"]
    lines += [f"  Redis: {master or 'nobody'} is the master", signposts(one)]
    return "\n".join(lines)


_FAULTS = {**breaking.FAULTS, **OF_REGIONS}
Target = Annotated[str, typer.Argument(help="Which one, where there are several.")]


@lab.command(name="break")
def break_command(
    what: Annotated[str, typer.Argument(help="; ".join(f"{key}: {text}" for key, text in _FAULTS.items()))],
    target: Target = "",
    *,
    name: Name = "lab",
    output: OutputOption = Output.TEXT,
) -> None:
    """Break one thing."""
    with _one_sentence(output):
        if what in OF_REGIONS:
            must_be_root()
            done = two.break_it(two.running(name), what, target)
        else:
            done = breaking.break_it(_running(name), built_binaries(), what, target)
        _end(output, Exit.DONE, {"lab": name, "done": done}, done)


@lab.command()
def heal(
    what: Annotated[str, typer.Argument(help=f"Of two regions: {' | '.join(OF_REGIONS)}. Without it: everything.")] = "",
    target: Target = "",
    *,
    name: Name = "lab",
    output: OutputOption = Output.TEXT,
) -> None:
    """Undo every break, or one of two regions."""
    with _one_sentence(output):
        must_be_root()
        if what:
            two.must_be_a_fault(what)
            done = two.heal(two.running(name), what, target, _progress(output))
            _end(output, Exit.DONE, {"lab": name, "done": done}, done)
        regions = two.find(name)
        if regions is None or any(cluster.status(Lab(name)).values()):
            breaking.heal(_running(name), _progress(output))
        if regions is not None:
            two.heal(two.running(name), "", "", _progress(output))
        _end(output, Exit.DONE, {"lab": name, "done": "healed"})


@lab.command()
def load(
    *,
    name: Name = "lab",
    seconds: Annotated[float, typer.Option(min=1, help="How long; Ctrl-C ends it earlier.")] = 3600,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write rows and call the sample API until Ctrl-C; then say what was lost, refused, and how long writes stood still."""
    with _one_sentence(output):
        with running_load(_running(name), built_binaries()) as running:
            if output is Output.TEXT:
                typer.echo("writing a row every 20 ms, calling the API every 50 ms; Ctrl-C ends it and prints what was seen")
            try:
                time.sleep(seconds)
            except KeyboardInterrupt:
                typer.echo("", err=output is Output.JSON)
            seen = running.stop()
        _end(output, Exit.DONE, seen, _seen_view(seen))


def _seen_view(seen: dict[str, Any]) -> str:
    return f"""\
  rows acknowledged     {seen["rows"]}, lost {seen["lost"]}, failed {sum(seen["row_errors"].values())}
  longest without one   {seen["outage_seconds"] * 1000:.0f} ms
  API calls             {seen["api_ok"]} answered, {len(seen["api_errors"])} errors
  two writers at once   {len(seen["two_writers"])} times in {sum(seen["checks"].values())} checks"""


@lab.command()
def build(*, output: OutputOption = Output.TEXT) -> None:
    """Install and build what a lab needs, and start nothing. `up` does it too; a second time takes no time."""
    with _one_sentence(output):
        say = _progress(output)
        ensure_packages(say)
        _end(output, Exit.DONE, {"programs": str(ensure_binaries(say))})


@lab.command()
def demo(
    what: Annotated[str, typer.Argument(help=" | ".join((*DEMOS, _REGION)))] = "postgres", *, name: Name = "lab"
) -> None:
    """Bring the lab up, move something under load, and print the reports."""
    with _one_sentence():
        if what == _REGION:
            raise typer.Exit(region_demo())
        if what not in DEMOS:
            raise LabUsageError(f"what: {what!r} is no demonstration; there is {', '.join((*DEMOS, _REGION))}")
        raise typer.Exit(run_demo(Lab(name), what))


@lab.command()
def down(*, name: Name = "lab", output: OutputOption = Output.TEXT) -> None:
    """End everything of it: processes, mounts, namespaces, links, cgroups and files. The built programs stay cached."""
    with _one_sentence(output):
        one = Lab(name)
        must_be_root()
        cluster.down(one, _progress(output))
        if (regions := two.find(name)) is not None:
            two.down(regions, _progress(output))
        _end(output, Exit.DONE, {"lab": name, "done": "down"})
