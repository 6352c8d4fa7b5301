"""Pages from templates, in the chosen language.

A template's own words are translated when it is loaded, cut at its tags and marks, and what is filled in when it is filled
in. So a template is written in plain English, without a call for each word.
"""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined, select_autoescape
from jinja2.ext import Extension
from markupsafe import Markup

from languages.choice import chosen, translated, translated_words
from starters.render import words

_TEMPLATES = Path(__file__).parent / "templates"
_STATEMENTS = re.compile(
    r"(\{\{.*?\}\}|\{%.*?%\}|<style>.*?</style>|<[^<>]*>|\*\*|\||`|^#+ |^- |\n)", re.DOTALL | re.MULTILINE
)
_OF_PAGE = {"en": "en", "zh-TW": "zh-Hant-TW"}
"""A page's language, by which a browser chooses the form of a Chinese character."""


class AsIs(str):
    """A person's own words, a program's output: never translated."""

    __slots__ = ()


class _Translated(Extension):
    """Translates a template's own words."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - jinja's
        if chosen() == "en" or name == "style.css.j2":
            return source
        return "".join(part if at % 2 else translated(part) for at, part in enumerate(_STATEMENTS.split(source)))


def pages() -> Environment:
    """Return the templates, with the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=[_Translated],
        finalize=_filled_in,
    )
    environment.filters.update(duration=words.duration, moment=words.moment, cell=_cell, asis=AsIs, said=said)
    environment.globals["language"] = _OF_PAGE[chosen()]
    return environment


def filled_in(text: str) -> str:
    """Return a text in the chosen language, but for what is to stay as it is."""
    return text if isinstance(text, AsIs) else translated(text)


def _filled_in(value: object) -> object:
    return value if isinstance(value, (AsIs, Markup, Undefined, int, float)) else translated(str(value))


def said(text: str) -> str:
    """Return what may be a person's own words; empty stays empty."""
    return AsIs(translated_words(text)) if text else ""


def _cell(text: object) -> str:
    """Return text that cannot break out of a Markdown table."""
    kind = AsIs if isinstance(text, AsIs) else str
    return kind(str(text).replace("|", "\\|").replace("\n", " "))
