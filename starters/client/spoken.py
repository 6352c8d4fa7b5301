"""What a command prints, in the language that was chosen: texts are translated where they leave, not where they are made."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from languages.choice import ENGLISH, chosen, translated


def spoken(shown: RenderableType) -> RenderableType:
    """Return ``shown`` in the chosen language, with its styles. Tables translate themselves; anything else is returned."""
    if chosen() == ENGLISH:
        return shown
    if isinstance(shown, str):
        return translated(shown)
    if isinstance(shown, Text):
        return spoken_text(shown)
    if isinstance(shown, Group):
        return Group(*(spoken(one) for one in shown.renderables), fit=shown.fit)
    return shown


def spoken_text(text: Text) -> Text:
    """Return ``text`` in the chosen language; what has a style of its own is a text of its own."""
    if chosen() == ENGLISH:
        return text
    edges = sorted({edge for span in text.spans for edge in (span.start, span.end)} - {0, len(text)})
    told = Text(style=text.style, overflow=text.overflow, no_wrap=text.no_wrap)
    for part in text.divide(edges):
        told.append_text(_restyled(part))
    return told


def _restyled(part: Text) -> Text:
    told = Text(translated(part.plain))
    for span in part.spans:
        told.stylize(span.style)
    return told
