"""Which language is spoken: what the command was told, else ``FAILOVER_LANG``, else the terminal's own, else English.

Nothing is loaded for English, so that a run at 3 a.m. pays nothing for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache

from languages.catalogue import LANGUAGES, path_of, read
from languages.matching import Translator

ENGLISH = "en"
SPOKEN = (ENGLISH, *LANGUAGES)
_CHOSEN: ContextVar[str] = ContextVar("language", default=ENGLISH)
_LOCALES = ("LC_ALL", "LC_MESSAGES", "LANG")


class UnknownLanguageError(ValueError):
    """There is no catalogue of that name; the sentence says which there are."""


def language_of(name: str) -> str:
    """Return a language by the name that somebody typed: ``zh-TW``, ``zh_tw``, ``zh_TW.UTF-8``.

    Raises:
        UnknownLanguageError: it is not spoken.

    """
    plain = name.partition(".")[0].replace("_", "-").casefold()
    found = next((one for one in SPOKEN if one.casefold() == plain), None)
    if found is None:
        raise UnknownLanguageError(f"{name!r} is not spoken here; give one of {', '.join(SPOKEN)}")
    return found


def default_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of the environment. UnknownLanguageError: ``FAILOVER_LANG`` names none that is spoken."""
    if wanted := environment.get("FAILOVER_LANG"):
        return language_of(wanted)
    locale = next((environment[one] for one in _LOCALES if environment.get(one)), "")
    try:
        return language_of(locale)
    except UnknownLanguageError:
        return ENGLISH


def choose(language: str) -> None:
    """Speak ``language`` from now on, in this context."""
    _CHOSEN.set(language)


def chosen() -> str:
    """Return the language that is spoken now."""
    return _CHOSEN.get()


def translated(text: str, language: str | None = None) -> str:
    """Return ``text`` in ``language``, or in the one that is spoken; English is returned as it is."""
    spoken = language or chosen()
    return text if spoken == ENGLISH else translator(spoken).text(text)


def translated_words(text: str) -> str:
    """Return what may be a person's own words: in the language that is spoken only if they are a message of ours."""
    return text if chosen() == ENGLISH else translator(chosen()).words(text)


@cache
def translator(language: str) -> Translator:
    """Return the translator of a language, its catalogue read once."""
    return Translator(read(path_of(language).read_text(encoding="utf-8")))
