"""What people read on a telephone: one title and a few lines for each event. All texts are here.

A text has names in braces and is left out where one of them is empty. They are English here, and in the history: the step
that sends them translates them.
"""

from __future__ import annotations

from string import Formatter
from urllib.parse import quote

from estate.notices import Event
from workflows.notices.models import Notice

_TITLES = {
    Event.STARTED: "Started: {what}",
    Event.APPROVAL: "Approval needed: {what}",
    Event.WAITING: "People needed: {what}",
    Event.NO_WAY_BACK: "No way back: {what}",
    Event.DONE: "Done: {what}",
    Event.FAILED: "{ENDED}: {what}",
    Event.DRILL_BEGUN: "Drill begun: {what}",
    Event.DRILL_ENDED: "Drill PASS: {what}",
    Event.DRILL_FAILED: "Drill FAIL: {what}",
}
_AGAIN = "Still waiting ({minutes} min): {what}"
_ESCALATED = "NOBODY HAS ANSWERED ({minutes} min): {what}"
_CHANGE = "Change: {headline}"
_ASKED = "Asked by {by}: {reason}"
_ASKED_BY = "Asked by {by}"
_UNTIL = "Until {until} UTC"
_FOLLOW = "Follow: failover follow {name}"
_REPORT = "Report: failover report {name}"
_LINK = "Open: {link}"
_WAITS = "Waits for {need}"
_COMMAND = "Type: {command}"
_OUTCOME = "Outcome: {ended}. {why}"
_BARE_OUTCOME = "Outcome: {ended}"
_FORWARD = "It is past its point of no return: a cancel changes nothing now"
_BODIES = {
    Event.STARTED: (_CHANGE, _ASKED, _FOLLOW, _LINK),
    Event.APPROVAL: (_CHANGE, _ASKED, _WAITS, _UNTIL, _COMMAND, _LINK),
    Event.WAITING: (_CHANGE, _ASKED, _WAITS, _UNTIL, _COMMAND, _LINK),
    Event.NO_WAY_BACK: (_CHANGE, _FORWARD, _FOLLOW, _LINK),
    Event.DONE: (_CHANGE, _ASKED, _OUTCOME, _REPORT, _LINK),
    Event.FAILED: (_CHANGE, _ASKED, _OUTCOME, _REPORT, _LINK),
    Event.DRILL_BEGUN: (_CHANGE, _ASKED, _FOLLOW, _LINK),
    Event.DRILL_ENDED: (_CHANGE, _ASKED, _OUTCOME, _REPORT, _LINK),
    Event.DRILL_FAILED: (_CHANGE, _ASKED, _OUTCOME, _REPORT, _LINK),
}
_SHORTER = {_ASKED: _ASKED_BY, _OUTCOME: _BARE_OUTCOME}
"""What is said where a name of the longer text is empty."""
TEST = ("Test of failover's notifications", "Nothing has happened. Sent to the target {target}.")


def test_text(target: str) -> tuple[str, str]:
    """Return title and body of a text that only shows that ``target`` can be reached."""
    return TEST[0], TEST[1].format(target=target)


def text_of(notice: Notice, ui: str, namespace: str) -> tuple[str, str]:
    """Return title and body. ``ui``: address of Temporal's UI; empty: no link."""
    names = _names(notice, ui, namespace)
    title = _TITLES[notice.event]
    if notice.waited_minutes:
        title = _ESCALATED if notice.escalated else _AGAIN
    lines = [_filled(line, names) or _filled(_SHORTER.get(line, ""), names) for line in _BODIES[notice.event]]
    return title.format(**names), "\n".join(filter(None, lines))


def _names(notice: Notice, ui: str, namespace: str) -> dict[str, str]:
    facts, need = notice.facts, notice.need
    place = f"{ui.rstrip('/')}/namespaces/{quote(namespace, safe='')}/workflows/{quote(facts.workflow_id, safe='')}"
    ended = facts.ended or "failed"
    return {
        "what": " ".join(filter(None, (facts.workflow, facts.workflow_id, facts.mode))),
        "name": facts.workflow_id if not facts.ended else f"{facts.workflow_id}/{facts.run_id}",
        "headline": facts.headline,
        "by": facts.by,
        "reason": facts.reason,
        "ended": facts.ended,
        "ENDED": ended[0].upper() + ended[1:],
        "why": facts.why,
        "need": need.what if need else "",
        "command": need.command if need else "",
        "until": f"{need.until:%Y-%m-%d %H:%M}" if need and need.until else "",
        "minutes": str(notice.waited_minutes),
        "link": f"{place}/{facts.run_id}/history" if ui else "",
    }


def _filled(text: str, names: dict[str, str]) -> str:
    """Return ``text`` with its names filled in; empty where one of them is."""
    asked = [name for _, name, _, _ in Formatter().parse(text) if name]
    return text.format(**names) if all(names[name] for name in asked) else ""
