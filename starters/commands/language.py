"""``--lang``: an option of every command, since every command has something to say."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from languages.choice import SPOKEN, UnknownLanguageError, choose, default_language, language_of
from starters.client.answers import Exit

_HELP = f"Language of what people read: {' or '.join(SPOKEN)}. Else FAILOVER_LANG, else your locale's."
_OPTION = Annotated[str | None, typer.Option("--lang", metavar="LANG", help=_HELP, show_default=False)]


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the option ``--lang`` beside its own. Its JSON stays English: programs read it."""

    @wraps(command)
    def said(*args: Any, lang: str | None = None, **options: Any) -> None:  # noqa: ANN401 - the command's own
        _choose(lang)
        command(*args, **options)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("lang", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_OPTION)
    said.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    said.__annotations__ = {**get_type_hints(command, include_extras=True), "lang": _OPTION}
    return said


def _choose(name: str | None) -> None:
    try:
        choose(language_of(name) if name else default_language())
    except UnknownLanguageError as error:
        typer.echo(f"failover: {'lang' if name else 'FAILOVER_LANG'}: {error}", err=True)
        raise typer.Exit(int(Exit.USAGE)) from error
