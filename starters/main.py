"""The ``failover`` command: starts procedures, follows them, speaks to their runs, and tells how they went.

Every command ends the process with ``os._exit``: the Temporal client's own threads may abort an interpreter that shuts
down normally, which would turn a good exit code into 134.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import typer

from starters.client.answers import EXIT_CODES, Exit, Output, respond
from starters.client.requests import ADOPT, Typed
from starters.commands import arguments as arg
from starters.commands import detection as watching_over
from starters.commands import start
from starters.commands.attest import Word, attest
from starters.commands.decide import Ballot, cancel, decide
from starters.commands.doctor import doctor
from starters.commands.follow import watch as watching
from starters.commands.history import history
from starters.commands.override_budget import insist
from starters.commands.pause import TypedPause, pause
from starters.commands.report import Wanted, report
from starters.commands.resume import resume
from starters.commands.status import all_open, status_of
from starters.commands.worker import run_worker
from workflows.run.models import Run

app = typer.Typer(
    name="failover",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog=EXIT_CODES,
    help="""Move a platform away from what broke (PostgreSQL, Redis, pods, nodes), watch it happen, and report what it cost.

\b
At 3 in the morning:
  failover doctor                                    is everything fit for a switch?
  failover plan  postgres-failover orders            what would happen; changes nothing
  failover start postgres-failover orders --by YOU --reason "why"
  failover start postgres-failover orders --mode forced --by YOU --reason "why"      the primary is gone
  failover start redis-failover mymaster --by YOU    replace a Redis master
  failover start pod-failover api --by YOU           mend a workload's broken pods
  failover start node-failover node-2 --by YOU       empty a node, leaders first (--mode forced: it is gone)
  failover plan  postgres-rollback orders            what it would take to go back after a promotion
  failover status                                    what runs, who is waited for, what the watches see
  failover watchers start                            let witnesses look, all the time, at what the estate lists
  failover watch orders                              come back to a run (closing the terminal never stops it)

The Temporal server is found by Temporal's own settings: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE.""",
)


watchers = typer.Typer(
    name="watchers",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Watch what the estate lists; what they see stands in failover status.",
)
app.add_typer(watchers)


def _follows(watch: bool | None) -> bool:  # noqa: FBT001 - an option as typed
    """Whether a command that starts a run follows it: as asked, or where a person looks on."""
    return sys.stdout.isatty() if watch is None else watch


@app.command("plan", epilog=EXIT_CODES)
def plan_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    uncordon: arg.Uncordon = False,
    max_bytes: arg.MaxBytes = None,
    max_transactions: arg.MaxTransactions = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Show what would happen. Changes nothing, may run at any time."""
    typed = Typed(
        procedure,
        target,
        mode=mode,
        to=to,
        member=member,
        uncordon=uncordon,
        by=by,
        reason=reason,
        max_bytes=max_bytes,
        max_transactions=max_transactions,
    )
    respond(output, start.plan(typed))


@app.command("start", epilog=EXIT_CODES)
def start_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Procedure,
    target: arg.Cluster,
    *,
    mode: arg.Mode = None,
    to: arg.To = None,
    member: arg.Member = None,
    uncordon: arg.Uncordon = False,
    max_bytes: arg.MaxBytes = None,
    max_transactions: arg.MaxTransactions = None,
    attest: arg.Attest = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    watch: arg.Watch = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Do it, for real. The policy in the estate file may make it wait for somebody's approval first.

    Until the standby is promoted the run can be cancelled, and everything is undone. Closing the terminal stops nothing.
    """
    typed = Typed(
        procedure,
        target,
        mode=mode,
        to=to,
        member=member,
        uncordon=uncordon,
        attest=attest,
        by=by,
        reason=reason,
        max_bytes=max_bytes,
        max_transactions=max_transactions,
    )
    respond(output, start.start(typed, output, watch=_follows(watch)))


@app.command("drill", epilog=EXIT_CODES)
def drill_command(  # noqa: PLR0913 - one parameter an option
    procedure: arg.Drilled,
    target: arg.Cluster,
    *,
    pod: arg.Pod = None,
    by: arg.By = "",
    reason: arg.Reason = "",
    watch: arg.Watch = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Break something on purpose, on the real platform, and measure how long it takes until all is well again."""
    typed = Typed(procedure, target, pod=pod, by=by, reason=reason)
    respond(output, start.start(typed, output, watch=_follows(watch), run=Run.DRILL))


@app.command("watch", epilog=EXIT_CODES)
def watch_command(target: arg.Target, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Follow a run to its end, or show how it ended. Ctrl-C leaves the run going."""
    respond(output, watching(target, output))


@app.command("status", epilog=EXIT_CODES)
def status_command(target: arg.AnyTarget = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Show how a run stands: phase, plan, who is waited for. Exits with 4 while somebody must act."""
    respond(output, status_of(target) if target else all_open())


@app.command("approve", epilog=EXIT_CODES)
def approve_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    plan: arg.PlanDigest = None,
    role: arg.Role = "",
    attest: arg.Attest = False,
    note: arg.Note = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Agree to the plan that waits. Whoever asked for the run cannot approve it."""
    respond(output, decide(Ballot(target, approve=True, by=by, plan=plan, role=role, note=note, attest=attest), output))


@app.command("reject", epilog=EXIT_CODES)
def reject_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    plan: arg.PlanDigest = None,
    role: arg.Role = "",
    note: arg.Note = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Refuse the plan that waits; the run ends and nothing has changed."""
    respond(output, decide(Ballot(target, approve=False, by=by, plan=plan, role=role, note=note), output))


@app.command("attest", epilog=EXIT_CODES)
def attest_command(
    target: arg.Target,
    *,
    member: arg.Stopped,
    by: arg.By = "",
    note: arg.Note = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Say that the old primary of a forced failover is stopped. If it is not, two servers may take writes.

    A forced failover promotes nobody before that is proved. Where the old primary's own gate cannot say it, you can: when
    its machine is off, deallocated, or cut from its disk for good. The report keeps your name and your note.
    """
    respond(output, attest(Word(target, member=member, by=by, note=note)))


@app.command("insist", epilog=EXIT_CODES)
def insist_command(
    target: arg.Target, *, by: arg.By = "", note: arg.Note = "", output: arg.OutputOption = Output.TEXT
) -> None:
    """Node: delete what a disruption budget protects, by name. Only while such a budget holds the run up."""
    respond(output, insist(target, by, note))


@app.command("cancel", epilog=EXIT_CODES)
def cancel_command(target: arg.Target, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Stop a run and undo what it did.

    Once the standby leads there is no way back: then this is refused, and the run goes on to its end. Only the last wait,
    for the old primary to follow, can be ended then; it goes on following by itself.
    """
    respond(output, cancel(target))


@app.command("adopt", epilog=EXIT_CODES)
def adopt_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    leader: arg.Leader = None,
    plan: arg.PlanOnly = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    watch: arg.Watch = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Take over a pair that has run without the gate: its gates stand before the old directories and wait.

    Until the first leader record is written everything stays as it is. docs/install.md says what must be where before.
    """
    typed = Typed(ADOPT, target, to=leader, by=by, reason=reason)
    watched = _follows(watch)
    respond(output, start.plan(typed) if plan else start.start(typed, output, watch=watched))


@app.command("resume", epilog=EXIT_CODES)
def resume_command(
    target: arg.Target, *, by: arg.By = "", watch: arg.Watch = None, output: arg.OutputOption = Output.TEXT
) -> None:
    """Finish a run that ended STRANDED or ROLLBACK INCOMPLETE, or was terminated.

    The same procedure is started again with the same input; it first undoes or finishes what is left. Refused with 3 when
    nothing is left, or when starting again would move the writes once more.
    """
    respond(output, resume(target, by, output, watch=_follows(watch)))


@app.command("pause", epilog=EXIT_CODES)
def pause_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    lasts: arg.For = None,
    off: arg.Off = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Hold what happens by itself: no former primary rejoins, no standby is copied anew, until --for is over or --off.

    What people ask for goes ahead: failover, rejoin. Possible while a run goes on. Servers that run are left alone.
    """
    respond(output, pause(TypedPause(target, lasts, off, by, reason)))


@app.command("report", epilog=f"{EXIT_CODES}\n1 also while the run is still going on.")
def report_command(
    target: arg.RunOption = None,
    *,
    file: arg.HistoryFile = None,
    format: arg.FormatOption = None,  # noqa: A002 - the option's name
    write: arg.WriteTo = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Tell how a run went: outage and loss as measured, each phase, who agreed, what is left to do."""
    respond(output, report(Wanted(target=target, history=file, format=format, write=write)))


@app.command("history", epilog=EXIT_CODES)
def history_command(
    target: arg.OnlyCluster = None,
    *,
    limit: arg.Limit = 20,
    plans: arg.Plans = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """List past runs: when, who, how they ended, how long they took."""
    respond(output, history(target, limit, plans=plans))


@app.command("doctor", epilog=EXIT_CODES)
def doctor_command(cluster: arg.OnlyCluster = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Look for everything that would stop a switch, before you need one. Changes nothing. Exits with 1 on a fault."""
    respond(output, doctor(cluster))


@app.command("worker")
def worker_command() -> None:
    """Serve procedures until told to end. Run two or more; they share the work. Needs FAILOVER_ESTATE."""
    raise typer.Exit(run_worker())


@watchers.command("start", epilog=EXIT_CODES)
def watchers_start_command(target: arg.Watched = None, *, output: arg.OutputOption = Output.TEXT) -> None:
    """Watch everything that the estate lists, or one target; watches that run read the estate anew."""
    respond(output, watching_over.start(target))


@watchers.command("stop", epilog=EXIT_CODES)
def watchers_stop_command(target: arg.OneWatch, *, output: arg.OutputOption = Output.TEXT) -> None:
    """End one watch. A failover that it has begun goes on."""
    respond(output, watching_over.stop(target))


@watchers.command("acknowledge", epilog=EXIT_CODES)
def watchers_acknowledge_command(
    target: arg.OneWatch, *, by: arg.By = "", note: arg.Note = "", output: arg.OutputOption = Output.TEXT
) -> None:
    """End the cool-down after an automatic failover: the next one may be automatic again."""
    respond(output, watching_over.acknowledge(target, by, note))


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
        known = {command.name for command in app.registered_commands} | {watchers.info.name}
        if not sys.argv[1:2] or sys.argv[1] not in known:
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
