"""The ``failover`` command: starts procedures, follows them, speaks to their runs, and tells how they went.

Every command ends the process with ``os._exit``: the Temporal client's own threads may abort an interpreter that shuts
down normally, which would turn a good exit code into 134.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from starters.client.answers import EPILOG, EXIT_CODES, Exit
from starters.commands import detection, drill, drill_schedule, evidence, notices, readiness, start
from starters.commands.adopt import adopt_command
from starters.commands.attest import attest_command
from starters.commands.cancel import cancel_command
from starters.commands.control import force_command, hold_command, release_command, skip_command
from starters.commands.decide import approve_command, reject_command
from starters.commands.doctor import doctor_command
from starters.commands.follow import follow_command
from starters.commands.history import history_command
from starters.commands.init import init_command
from starters.commands.kept import kept_command
from starters.commands.language import speaking
from starters.commands.metrics import metrics_command
from starters.commands.override_budget import override_budget_command
from starters.commands.pause import pause_command
from starters.commands.repair import repair_command
from starters.commands.report import report_command
from starters.commands.resume import resume_command
from starters.commands.status import status_command
from starters.commands.summary import summary_command
from starters.commands.worker import worker_command

COMMANDS: dict[str, Callable[..., None]] = {
    "plan": start.plan_command,
    "start": start.start_command,
    "follow": follow_command,
    "status": status_command,
    "approve": approve_command,
    "reject": reject_command,
    "attest": attest_command,
    "override-budget": override_budget_command,
    "cancel": cancel_command,
    "hold": hold_command,
    "release": release_command,
    "skip": skip_command,
    "force": force_command,
    "adopt": adopt_command,
    "resume": resume_command,
    "pause": pause_command,
    "kept": kept_command,
    "repair": repair_command,
    "report": report_command,
    "history": history_command,
    "doctor": doctor_command,
    "init": init_command,
    "worker": worker_command,
    "metrics": metrics_command,
}
DETECTION: dict[str, Callable[..., None]] = {
    "start": detection.start_command,
    "stop": detection.stop_command,
    "status": detection.status_command,
    "re-arm": detection.rearm_command,
}
DRILL: dict[str, Callable[..., None]] = {
    "list": drill.list_command,
    "start": drill.start_command,
    "judge": drill.judge_command,
    "stop": drill.stop_command,
    "resume": drill.resume_command,
    "pod-failover": start.pod_drill_command,
}
SCHEDULE: dict[str, Callable[..., None]] = {
    "apply": drill_schedule.apply_command,
    "list": drill_schedule.list_command,
    "trigger": drill_schedule.trigger_command,
    "pause": drill_schedule.pause_command,
    "resume": drill_schedule.resume_command,
}
EVIDENCE: dict[str, Callable[..., None]] = {
    "verify": evidence.verify_command,
    "list": evidence.list_command,
    "summary": summary_command,
}
READINESS: dict[str, Callable[..., None]] = {
    "show": readiness.show_command,
    "start": readiness.start_command,
    "stop": readiness.stop_command,
}
NOTICES: dict[str, Callable[..., None]] = {
    "start": notices.start_command,
    "stop": notices.stop_command,
    "status": notices.status_command,
    "test": notices.try_command,
}
GROUPS: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "detection": ("Detect failures, and start or propose failovers.", DETECTION),
    "drill": ("Hold drills: by the calendar, or now.", DRILL),
    "evidence": ("Check and list what drills have left behind.", EVIDENCE),
    "notices": ("Tell people of runs: on their phone, in their chat.", NOTICES),
    "readiness": ("Show what could be started: readiness [TARGET].", READINESS),
}
OLD_NAMES = {"watch": "follow", "insist": "override-budget"}
"""Not shown in the help, and understood for ever: runbooks and scripts hold them."""
OLD_DETECTION, OLD_REARM = "watchers", "acknowledge"

app = typer.Typer(
    name="failover",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    help="""Move a platform away from faults (PostgreSQL, Redis, pods, nodes), follow each step, and report what it cost.

\b
At 3 in the morning:
  failover doctor                               what is wrong, what to type
  failover status                               what runs, what waits for whom
  failover plan postgres-failover orders        what would happen (a dry run)
  failover start postgres-failover orders --by YOU --reason WHY
    ... --mode forced                           the primary has failed
  failover start redis-failover mymaster --by YOU   promote a Redis replica
  failover start pod-failover api --by YOU      replace broken pods
  failover start node-failover node-2 --by YOU  drain a node, leaders first
    ... --mode forced                           the node is lost
  failover plan postgres-rollback orders        take a promotion back
  failover plan postgres-region-failover aiagent-db   Azure, other region
  failover plan gateway-failover aiagent-appgw   Azure, application gateway
  failover detection start                      detect failures from now on
  failover readiness                            what could not be started
  failover follow orders                        show a run until it ends;
                                                leaving never stops it

The Temporal server is found by Temporal's own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE.""",
)


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - called by typer
    if wanted:
        typer.echo(f"failover {version('failover')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    shown: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take what stands before the command."""


def _register() -> None:
    for name, command in COMMANDS.items():
        app.command(name, epilog=EPILOG)(speaking(command))
    for old, new in OLD_NAMES.items():
        app.command(old, epilog=EPILOG, hidden=True)(speaking(COMMANDS[new]))
    groups = {name: _group(words, commands) for name, (words, commands) in GROUPS.items()}
    groups["detection"].command(OLD_REARM, epilog=EPILOG, hidden=True)(detection.rearm_command)
    groups["drill"].add_typer(_group("The calendar as Temporal's schedules.", SCHEDULE), name="schedule")
    for name, group in groups.items():
        app.add_typer(group, name=name)
    app.add_typer(groups["detection"], name=OLD_DETECTION, hidden=True)


def _group(words: str, commands: dict[str, Callable[..., None]]) -> typer.Typer:
    if commands is READINESS:
        group = typer.Typer(cls=readiness.OrTarget, rich_markup_mode=None, help=words)
    else:
        group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=words)
    for name, command in commands.items():
        group.command(name, epilog=EPILOG)(speaking(command))
    return group


_register()


def add_lab() -> None:
    """Mount ``failover lab``; the product works without the lab and its packages."""
    try:
        app.add_typer(importlib.import_module("deploy.lab.commands").lab, name="lab")
    except ImportError as error:
        missing = error.name or str(error)

        @app.command("lab", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
        def without_lab() -> None:
            """Practise on a real cluster on this machine. Not installed here."""
            typer.echo(f"failover: the lab is not installed ({missing} is missing); pip install 'failover[lab]'", err=True)
            raise typer.Exit(int(Exit.USAGE))


def main() -> None:
    """Run the command and end the process with its exit code."""
    code = int(Exit.FAILED)
    try:
        if not sys.argv[1:2] or sys.argv[1] not in {*COMMANDS, *OLD_NAMES, *GROUPS, OLD_DETECTION}:
            add_lab()  # takes longer to load than most commands take
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BrokenPipeError:
        code = int(Exit.DONE)
    except Exception as error:  # noqa: BLE001 - the process ends below, before Python could say it
        _say(error)
    finally:
        _flush()
        os._exit(code)


def _say(error: Exception) -> None:
    """Say in one line what nobody expected."""
    more = "FAILOVER_DEBUG=1 shows where"
    if os.environ.get("FAILOVER_DEBUG") == "1":
        traceback.print_exception(error)
        more = "see above"
    words = " ".join(str(error).split())[:500]
    typer.echo(f"failover: unexpected {type(error).__name__}: {words} ({more})", err=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue


if __name__ == "__main__":
    main()
