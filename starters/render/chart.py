"""The timeline as a self-contained SVG: a lane for each phase, the measured outage as a band across all of them.

A wait for people may last hours beside steps of milliseconds. It is drawn at a fixed width with a break in the axis, so
that the seconds that matter stay visible.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from html import escape

from languages.choice import translated
from starters.history.model import Facts
from starters.history.objective import Figure
from starters.history.timing import PEOPLE, PhaseTime, Span
from starters.render.words import duration

_LEFT, _WIDTH, _RIGHT, _LANE, _TOP = 150, 760, 90, 26, 34
_BREAK_SHARE = 0.08
"""Share of the picture that a long wait takes up, and the least share of the run that makes a wait long."""
_TICKS = 5


def timeline_svg(facts: Facts) -> str:
    """Return the picture; empty for a run that has no phase yet."""
    rows = facts.timing.phases
    if not rows:
        return ""
    place = _scale(facts)
    height = _TOP + _LANE * len(rows) + 24
    size = f"0 0 {_LEFT + _WIDTH + _RIGHT} {height}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{translated('Timeline by phase')}</title>",
        *_band(facts, place, height),
        *(line for lane, row in enumerate(rows) for line in _lane(row, _TOP + lane * _LANE, place, facts.timing.total)),
        *_axis(facts, place, height),
        "</svg>",
    ]
    return "\n".join(parts)


def _scale(facts: Facts) -> Callable[[datetime], float]:
    """Return the function from a time to a horizontal position."""
    begin, total = facts.started_at, max(facts.timing.total, 0.001)
    waits = [span for row in facts.timing.phases if row.phase in PEOPLE for span in row.spans if _is_long(span, total)]
    real = max(total - sum(_length(span) for span in waits), 0.001)
    room = _WIDTH * (1 - _BREAK_SHARE * len(waits))

    def place(at: datetime) -> float:
        passed, shift = (at - begin).total_seconds(), 0.0
        for span in waits:
            waited = min(max((at - span[0]).total_seconds(), 0.0), _length(span))
            passed -= waited
            shift += _WIDTH * _BREAK_SHARE * waited / _length(span)
        return _LEFT + min(max(passed / real, 0.0), 1.0) * room + shift

    return place


def _is_long(span: Span, total: float) -> bool:
    return _length(span) > total * _BREAK_SHARE


def _length(span: Span) -> float:
    return (span[1] - span[0]).total_seconds()


def _band(facts: Facts, place: Callable[[datetime], float], height: int) -> list[str]:
    """Return the outage as the measuring client saw it."""
    measured = facts.known.measurement
    seen = facts.verdict.outage_is is not Figure.AT_MOST
    if not seen or measured is None or measured.last_before is None or measured.first_after is None:
        return []
    left, right = place(measured.last_before), place(measured.first_after)
    words = escape(translated(f"no writes for {duration(measured.outage_seconds)}"))
    box = f'x="{left:.1f}" y="{_TOP - 6}" width="{max(right - left, 1):.1f}" height="{height - _TOP - 14}"'
    return [
        f'<rect {box} fill="#d33" fill-opacity="0.15"/>',
        f'<text x="{(left + right) / 2:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="#d33">{words}</text>',
    ]


def _lane(row: PhaseTime, top: int, place: Callable[[datetime], float], total: float) -> list[str]:
    colour = "#c33" if row.failed else "#888" if row.phase in PEOPLE else "#27c"
    bars = [
        f'<rect x="{place(begin):.1f}" y="{top}" width="{max(place(end) - place(begin), 1.5):.1f}" height="16" rx="2"'
        f' fill="{colour}"/>'
        for begin, end in row.spans
    ]
    is_cut = row.phase in PEOPLE and any(_is_long(span, total) for span in row.spans)
    name, took = (
        escape(translated(row.phase.value)),
        translated(duration(row.seconds) + (", not to scale" if is_cut else "")),
    )
    after = place(row.spans[-1][1]) + 6
    return [
        f'<text x="{_LEFT - 10}" y="{top + 12}" text-anchor="end" fill="currentColor">{name}</text>',
        *bars,
        f'<text x="{after:.1f}" y="{top + 12}" fill="currentColor">{escape(took)}</text>',
    ]


def _axis(facts: Facts, place: Callable[[datetime], float], height: int) -> list[str]:
    """Return ticks at even steps of real time; over a break they would lie, so then only begin and end are named."""
    base, end = height - 18, place(facts.started_at)
    has_break = any(row.phase in PEOPLE for row in facts.timing.phases)
    ends = f'x1="{_LEFT}" y1="{base}" x2="{_LEFT + _WIDTH}" y2="{base}"'
    lines = [f'<line {ends} stroke="currentColor" stroke-opacity="0.4"/>']
    steps = (0, _TICKS) if has_break else range(_TICKS + 1)
    for step in steps:
        at, words = end + _WIDTH * step / _TICKS, translated(duration(facts.timing.total * step / _TICKS))
        lines.append(
            f'<text x="{at:.1f}" y="{base + 14}" text-anchor="middle" fill="currentColor" fill-opacity="0.7">'
            f"+{escape(words)}</text>"
        )
    return lines
