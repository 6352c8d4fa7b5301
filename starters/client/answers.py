"""What every command ends with: an exit code, one JSON document or a text, and never a traceback for a known fault.

Faults are raised as ``CommandError`` anywhere below a command and turned into one sentence here. Calls to Temporal that
fail become a sentence too: *no answer* ends with 5, a name that the server does not know with 2.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, NoReturn

import typer
from rich.console import Console, RenderableType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.service import RPCError, RPCStatusCode

from languages.choice import translated
from starters.client.spoken import spoken
from workers.connection import ServerUnreachableError

_WIDTH_OF_A_FILE = 150
_SILENT = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.UNKNOWN}


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    WAITING = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


EXIT_CODES = """\b
Exit codes:
  0  done, and the objective was met (with --no-follow: started)
  1  failed, undone, or the objective was missed;
     report, follow --timeout: the run has not ended yet;
     status without TARGET: a cluster takes no writes
  2  wrong input: no such command, option, name or run; nothing was done
  3  refused, or withdrawn by detection; nothing was changed;
     plan: a start would be refused
  4  waits for people: an approval, an attestation, or a worker to be started
  5  the Temporal server does not answer; runs are not affected
130  you pressed Ctrl-C; the run goes on without you
"""
EPILOG = """\b
Exit codes: 0 done, 1 failed, 2 wrong input, 3 refused, 4 waits for people,
5 Temporal does not answer, 130 Ctrl-C. What each means: failover --help
"""

RUN_SHAPE: dict[str, Any] = dict.fromkeys(
    ("workflow", "workflow_id", "run_id", "outcome", "phase", "digest", "status"), None
)
"""Keys that every JSON answer about a run has, errors included; ``null``: not known, or there is none."""


class Output(StrEnum):
    """How a command answers."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """How a report is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


class CommandError(Exception):
    """A command cannot do what was asked; one sentence with the remedy, and the exit code."""

    def __init__(self, code: Exit, sentence: str) -> None:
        """Keep the code beside the sentence."""
        super().__init__(sentence)
        self.code = code


class UnknownRunError(CommandError):
    """Temporal knows no run of that name."""

    def __init__(self, name: str) -> None:
        """Keep the name: somebody may know whether the estate lists it."""
        sentence = f"no run of {name} is known: none has been started, or the name is wrong"
        super().__init__(Exit.USAGE, f"target: {sentence}; see failover history")
        self.name = name


def must_be_named(by: str) -> None:
    """Return if a command that takes a person's word was told whose. CommandError: it was not."""
    if not by:
        raise CommandError(
            Exit.USAGE, "by: missing; say who you are with --by NAME (or FAILOVER_BY), as the inventory spells it"
        )


def confirmed(question: str) -> bool:
    """Ask on the terminal. Ctrl-C means no: asyncio's own handler would only take note of it while the prompt blocks."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Verbatim:
    """A document that goes to stdout exactly as it is."""

    text: str


@dataclass(frozen=True)
class Answer:
    """What a command has to say at its end."""

    code: Exit
    data: dict[str, Any] = field(default_factory=dict)
    """JSON document; ``exit_code`` is added."""
    text: RenderableType | Verbatim | None = None
    """What a person reads on stdout; ``None`` when all has been said already."""
    complaint: str = ""
    """One sentence for stderr."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that is as wide as the terminal, or wide enough not to cut a table that goes into a file."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_OF_A_FILE
    return Console(stderr=stderr, width=width, highlight=False)


def plain(text: RenderableType) -> str:
    """Return ``text`` as it would stand in a file."""
    paper = Console(file=io.StringIO(), width=_WIDTH_OF_A_FILE, highlight=False)
    with paper.capture() as capture:
        paper.print(spoken(text))
    return capture.get()


def respond(output: Output, work: Coroutine[Any, Any, Answer]) -> NoReturn:
    """Do ``work``, print its answer and end the command with its exit code, even if nobody reads the answer."""
    _respond(output, _outcome_of(work))


def respond_about_run(output: Output, work: Coroutine[Any, Any, Answer]) -> NoReturn:
    """Like ``respond``, with ``RUN_SHAPE`` in the JSON answer."""
    answer = _outcome_of(work)
    _respond(output, replace(answer, data={**RUN_SHAPE, **answer.data}))


def _respond(output: Output, answer: Answer) -> NoReturn:
    try:
        _print(answer, output)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich turns the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(int(answer.code))


def _print(answer: Answer, output: Output) -> None:
    if output is Output.JSON:
        error = {"error": answer.complaint} if answer.complaint else {}
        print(json.dumps({"exit_code": int(answer.code), **error, **answer.data}, indent=2))  # noqa: T201 - the answer
        return
    if isinstance(answer.text, Verbatim):
        sys.stdout.write(answer.text.text)
    elif answer.text is not None:
        console().print(spoken(answer.text))
    if answer.complaint:
        console(stderr=True).print(f"failover: {translated(answer.complaint)}", markup=False, soft_wrap=True)


def _outcome_of(work: Coroutine[Any, Any, Answer]) -> Answer:
    try:
        return asyncio.run(work)
    except CommandError as error:
        return Answer(error.code, complaint=str(error))
    except ServerUnreachableError as error:
        return Answer(Exit.UNREACHABLE, complaint=str(error))
    except RPCError as error:
        return _of_call(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return Answer(Exit.INTERRUPTED, complaint="interrupted; a run that was started goes on without you")


def is_silence(error: RPCError) -> bool:
    """Whether the server did not answer at all, so that asking again may help."""
    return error.status in _SILENT


def is_no_namespace(error: RPCError) -> bool:
    """Whether the server does not have the namespace that was named."""
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def _of_call(error: RPCError) -> Answer:
    words = (error.message or error.status.name).splitlines()[0][:300]
    if is_silence(error):
        return Answer(Exit.UNREACHABLE, complaint=f"Temporal does not answer: {words}; runs are not affected, try again")
    if error.status in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED}:
        remedy = "see the API key or certificate of your Temporal profile"
        return Answer(Exit.UNREACHABLE, complaint=f"Temporal lets nobody in with these credentials: {words}; {remedy}")
    if is_no_namespace(error):
        return Answer(Exit.USAGE, complaint=f"namespace: {words.rstrip('.')}; set TEMPORAL_NAMESPACE")
    return Answer(Exit.USAGE, complaint=f"Temporal refuses: {words}")
