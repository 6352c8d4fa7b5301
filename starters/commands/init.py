"""``failover init``: writes an estate for the cluster that it sees; what a cluster does not show is asked."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from estate.base import EstateError
from starters.client.answers import Answer, CommandError, Exit, Output, respond
from starters.commands import arguments as arg

if TYPE_CHECKING:
    from starters.init.making import Made
    from starters.init.questions import Asker

Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig. Default: its current one.", show_default=False)
]
Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", help="Look here only; may be repeated. Default: all.", show_default=False),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", help="The file; never overwritten without --force. Default: in this directory.", show_default=False
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option("--answers", help="Answers, KEY: ANSWER in each line. Default: OUT.answers.yaml.", show_default=False),
]
Defaults = Annotated[bool, typer.Option("--yes", help="Ask nothing: what was seen is taken for right.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")]
_NOTHING = "nothing was written"


@dataclass(frozen=True)
class Asked:
    """The command line."""

    context: str | None
    namespaces: tuple[str, ...]
    out: Path
    answers: Path | None
    yes: bool
    force: bool
    silent: bool
    """Ask nothing though there is a terminal."""

    @property
    def kept(self) -> Path:
        """Return where the answers are."""
        return self.answers or self.out.with_name(f"{self.out.stem}.answers.yaml")


def init_command(  # noqa: PLR0913 - options
    *,
    context: Context = None,
    namespace: Namespaces = None,
    out: Out = Path("estate.yaml"),
    answers: Answers = None,
    yes: Defaults = False,
    force: Force = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Write an inventory for the cluster that it sees.

    Reads the cluster, changes nothing there, reads no Secret. Asks for what it cannot see.
    """
    respond(output, init(Asked(context, tuple(namespace or ()), out, answers, yes, force, silent=output is Output.JSON)))


async def init(asked: Asked) -> Answer:
    """Write the file. CommandError: one sentence why it was not written."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the end of a line
    try:
        return _init(asked)
    except KeyboardInterrupt:
        return Answer(Exit.INTERRUPTED, complaint=f"interrupted; {_NOTHING}")
    finally:
        signal.signal(signal.SIGINT, before)


def _init(asked: Asked) -> Answer:
    from starters.init.files import FileError, answers_in, may_be_written, write_both  # noqa: PLC0415 - drivers load slowly
    from starters.init.questions import Asker  # noqa: PLC0415 - likewise

    kept = asked.kept
    try:
        may_be_written(asked.out, force=asked.force)
        given = answers_in(kept, needed=asked.answers is not None)
        asks = not asked.yes and not asked.silent and sys.stdin.isatty()
        asker = Asker(given, str(kept), (sys.stdin, sys.stderr) if asks else None, takes_defaults=asked.yes)
        made = _made(asked, asker)
        write_both((asked.out, made.text), (kept, {**given, **asker.answered}), force=asked.force)
    except FileError as error:
        raise CommandError(Exit.USAGE, f"{error}; {_NOTHING}") from error
    return _answer(made, asked, sorted(given.keys() - asker.answered.keys()))


def _made(asked: Asked, asker: Asker) -> Made:
    from activities.clients.kubernetes.listing import ClusterReader, NoClusterError  # noqa: PLC0415 - loads slowly
    from activities.clients.ports import ForbiddenError, UnreachableError  # noqa: PLC0415 - likewise
    from starters.init.making import NothingError, UnansweredError, make  # noqa: PLC0415 - likewise
    from starters.init.questions import NoInputError  # noqa: PLC0415 - likewise

    try:
        return make(ClusterReader(asked.context), asked.namespaces, asker, asked.out)
    except (UnreachableError, ForbiddenError) as error:
        more = "; name your namespace with --namespace" if isinstance(error, ForbiddenError) and not asked.namespaces else ""
        raise CommandError(Exit.FAILED, f"{error}{more}; {_NOTHING}") from error
    except (NoClusterError, NothingError) as error:
        raise CommandError(Exit.USAGE, f"{error}; {_NOTHING}") from error
    except NoInputError:
        raise CommandError(Exit.INTERRUPTED, f"the input ended; {_NOTHING}") from None
    except UnansweredError as error:
        raise CommandError(Exit.USAGE, _open(error.questions, asker.source)) from error
    except (ValueError, EstateError) as error:
        raise CommandError(Exit.USAGE, f"answers: {error}; {_NOTHING}") from error


def _open(questions: dict[str, str], source: str) -> str:
    lines = "\n".join(f"  {key}: TODO   # {question}" for key, question in questions.items())
    return (
        f"answers: {len(questions)} question{'s are' if len(questions) > 1 else ' is'} open; {_NOTHING}\n{lines}\n"
        f"Write the answers into {source}, or run this on a terminal; --yes takes what stands in brackets."
    )


def _answer(made: Made, asked: Asked, unused: list[str]) -> Answer:
    out, kept = asked.out, asked.kept
    entries = {one.key: [each.key for each in one.under] for one in made.decided.entries if one.under}
    lines = [f"{out}: written; {kept}: the answers"]
    lines += [f"  {key}: {', '.join(names)}" for key, names in entries.items()]
    lines += [f"not seen: {one}" for one in made.seen.refused]
    lines += [f"note: {one}" for one in made.decided.notes]
    lines += [f"note: {kept} answers {key}, which was not asked" for key in unused]
    lines += ["next: read the file, give it to the workers (ConfigMap failover-estate), then: failover doctor"]
    data: dict[str, Any] = {"estate": str(out), "answers": str(kept), "found": entries}
    data |= {
        "not_seen": list(made.seen.refused),
        "notes": made.decided.notes,
        "unused_answers": unused,
        "next": "failover doctor",
    }
    return Answer(Exit.DONE, data, Text("\n".join(lines)))
