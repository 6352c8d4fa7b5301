"""The ``failover`` command: moves a PostgreSQL cluster's writes, watches the move, and tells how it went.

Every command ends the process with ``os._exit``: the Temporal client's own threads may abort an interpreter that shuts
down normally, which would turn a good exit code into 134.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from starters import arguments as arg
from starters import begin
from starters.answers import EXIT_CODES, Exit, Output, respond
from starters.requests import Typed
from starters.watching import watch as watching

app = typer.Typer(
    name="failover",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog=EXIT_CODES,
    help="""Move a PostgreSQL cluster's writes to its standby, watch it happen, and report what it cost.

\b
At 3 in the morning:
  failover doctor                                    is everything fit for a switch?
  failover plan  postgres-failover orders            what would happen; changes nothing
  failover start postgres-failover orders --by YOU --reason "why"
  failover status                                    what runs, and who is waited for
  failover watch orders                              come back to a run (closing the terminal never stops it)

The Temporal server is found by Temporal's own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE.""",
)


@app.command("plan", epilog=EXIT_CODES)
def plan_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Show what would happen. Changes nothing, may run at any time."""
    typed = Typed(procedure, target, mode=mode, to=to, member=member, by=by, reason=reason)
    respond(output, begin.plan(typed))


@app.command("start", epilog=EXIT_CODES)
def start_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    watch: Annotated[
        bool | None,
        typer.Option(
            "--watch/--no-watch",
            help="Follow the run to its end (default on a terminal), or return once it is under way.",
            show_default=False,
        ),
    ] = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Do it, for real. The policy in the estate file may make it wait for somebody's approval first.

    Until the standby is promoted the run can be cancelled, and everything is undone. Closing the terminal stops nothing.
    """
    typed = Typed(procedure, target, mode=mode, to=to, member=member, by=by, reason=reason)
    respond(output, begin.start(typed, output, watch=sys.stdout.isatty() if watch is None else watch))


@app.command("watch", epilog=EXIT_CODES)
def watch_command(target: arg.Target, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Follow a run to its end, or show how it ended. Ctrl-C leaves the run going."""
    respond(output, watching(target, output))


def main() -> None:
    """Run the command and end the process with its exit code."""
    code = int(Exit.FAILED)
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BrokenPipeError:
        code = int(Exit.DONE)
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue


if __name__ == "__main__":
    main()
