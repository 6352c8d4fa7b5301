"""A report as Markdown, for a ticket or a wiki, and as one HTML file without anything to load."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from activities.postgres.models.details import PostgresDetails
from starters.history.model import Facts
from starters.render import terminal, words
from starters.render.chart import timeline_svg
from starters.render.pages import pages
from starters.render.post_mortem import skeleton
from starters.render.subjects import own


def markdown(facts: Facts) -> str:
    """Return the report as Markdown."""
    return _render("report.md.j2", facts)


def html(facts: Facts) -> str:
    """Return the report as a self-contained HTML page with the timeline's picture."""
    return _render("report.html.j2", facts, picture=Markup(timeline_svg(facts)))  # noqa: S704 - our own SVG, escaped there


def _render(template: str, facts: Facts, **more: Any) -> str:  # noqa: ANN401 - template variables
    return (
        pages()
        .get_template(template)
        .render(
            facts=facts,
            known=facts.known,
            postgres=facts.known.details if isinstance(facts.known.details, PostgresDetails) else None,
            candidates=getattr(facts.known.plan, "candidates", ()),
            timing=facts.timing,
            title=words.title(facts),
            headline=words.headline(facts),
            verdict=words.verdict_line(facts),
            asked_by=words.who(facts.asked.by),
            checks=words.check_lines(facts.known.checks),
            people=terminal.people_lines(facts),
            plan_lines=terminal.plan_lines(facts.known.plan)[:2] if facts.known.plan else [],
            seen=own(facts).seen(facts.known),
            measured=terminal.measured_lines(facts),
            times=terminal.time_lines(facts),
            trouble=terminal.trouble_lines(facts),
            post_mortem=skeleton(facts),
            **more,
        )
    )
