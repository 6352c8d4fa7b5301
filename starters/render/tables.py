"""Tables that never cut a name: where the terminal is too narrow for whole words, each row becomes an entry of its own.

A member's name, a run ID or a digest that is cut or broken over two lines cannot be copied, so each column is at least as
wide as its longest word. Where that does not fit, a row is shown as its key on one line and the rest below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from languages.choice import translated
from starters.client.spoken import spoken_text

_GAP = 2
Cell = str | Text


class Rows:
    """A table, or entries where the terminal is too narrow for it."""

    def __init__(self, *headers: str, key: int = 0, indent: int = 2) -> None:
        """Name the columns; ``key`` is the one that an entry begins with."""
        self.headers, self._key, self._indent = tuple(map(translated, headers)), key % len(headers), indent
        self._rows: list[tuple[Text, ...]] = []

    def add_row(self, *cells: Cell) -> None:
        """Add a row; text is shown as it is, in the chosen language."""
        self._rows.append(tuple(spoken_text(Text(cell) if isinstance(cell, str) else cell) for cell in cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show a table if every word of it has room, else entries."""
        columns = [(header, *cells) for header, *cells in zip(self.headers, *self._rows, strict=True)]
        room = options.max_width - self._indent - _GAP * (len(columns) - 1)
        widths = _widths([_longest_word(one) for one in columns], [_longest(one) for one in columns], room)
        if widths:
            yield Padding(self._table(widths), (0, 0, 0, self._indent), expand=False)
            return
        for row in self._rows:
            yield Padding(row[self._key], (0, 0, 0, self._indent), expand=False)
            yield Padding(self._rest(row), (0, 0, 0, self._indent + 2), expand=False)

    def _table(self, widths: Sequence[int]) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
        for header, width in zip(self.headers, widths, strict=True):
            table.add_column(header, overflow="fold", width=width)
        for row in self._rows:
            table.add_row(*row)
        return table

    def _rest(self, row: tuple[Text, ...]) -> Text:
        others = [(header, cell) for at, (header, cell) in enumerate(zip(self.headers, row, strict=True)) if at != self._key]
        told = [Text(f"{header}: ").append_text(cell) if header else cell for header, cell in others if cell.plain]
        return Text("; ", overflow="fold").join(told)


def _widths(least: list[int], most: list[int], room: int) -> list[int]:
    """Return the columns' widths: what they want, or at least their longest words; empty where not even those fit."""
    if sum(most) <= room:
        return most
    spare = room - sum(least)
    if spare < 0:
        return []
    wants = [want - need for want, need in zip(most, least, strict=True)]
    return [need + spare * want // sum(wants) for need, want in zip(least, wants, strict=True)]


def _longest_word(column: Iterable[Cell]) -> int:
    return max((Text(word).cell_len for cell in column for word in str(cell).split()), default=0)


def _longest(column: Iterable[Cell]) -> int:
    return max((Text(str(cell)).cell_len for cell in column), default=0)
