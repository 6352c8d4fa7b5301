"""Writes the fingerprints of all workflows: ``python -m tests.architecture.fingerprints``.

A fingerprint says which command may follow which: what the source can do, also on ways that no recorded history has gone,
and what the recorded histories did. It speaks of registered names only, so that code may be moved and renamed.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.architecture import registered
from tests.architecture.flow.graph import Graph, Successions, is_landmark
from tests.architecture.flow.routines import graph_of
from tests.architecture.flow.shape import shape_of
from tests.replay.record import HISTORIES

FOLDER = Path(__file__).parent / "fingerprints"
_HEAD = """\
{name}: what its source can ask of the server, and in which order. Under each step stands what may come next, after ">" if
something small comes between. Made by: python -m tests.architecture.fingerprints

"""
_ENDINGS = {
    "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED": "completes",
    "EVENT_TYPE_WORKFLOW_EXECUTION_FAILED": "fails",
    "EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED": "is cancelled",
    "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW": "continues as new",
}


@functools.cache
def _graph_of(name: str) -> Graph:
    [owner] = registered.workflows()[name]
    return graph_of(owner)


@functools.cache
def source_of(name: str) -> Successions:
    """Return what may follow what in the source of the workflow ``name``."""
    return _graph_of(name).successions()


def recorded_of(name: str) -> dict[str, list[str]]:
    """Return history → its landmarks in order, for every recorded run of the workflow ``name``."""
    return _recorded().get(name, {})


@functools.cache
def _recorded() -> dict[str, dict[str, list[str]]]:
    """Return workflow → history → its landmarks in order. Dozens of tests ask; the histories are megabytes."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(HISTORIES.glob("*.json")):
        events = json.loads(path.read_text(encoding="utf-8"))["events"]
        name = events[0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]
        found.setdefault(name, {})[path.stem] = [one for one in map(_command_of, events) if one]
    return found


def _command_of(event: dict[str, Any]) -> str:
    match event:
        case {"activityTaskScheduledEventAttributes": {"activityType": {"name": name}}}:
            return f"activity {name}"
        case {"startChildWorkflowExecutionInitiatedEventAttributes": {"workflowType": {"name": name}}}:
            return f"child {name}"
        case {"signalExternalWorkflowExecutionInitiatedEventAttributes": {"signalName": name}}:
            return f"signal {name}"
    return _ENDINGS.get(event["eventType"], "")


def text_of(name: str) -> str:
    """Return the fingerprint of the workflow ``name``."""
    source, recorded = source_of(name), recorded_of(name)
    shape = f"\nall its sequences together: {shape_of(_graph_of(name))}\n"
    return _HEAD.format(name=name) + "".join([*_source_lines(source), shape, *_recorded_lines(source, recorded)])


def _source_lines(source: Successions) -> Iterator[str]:
    for label in sorted(source, key=lambda one: (one != "begins", one)):
        yield f"{label}\n"
        for small, then in sorted(source[label]):
            yield f"    {small} > {then}\n" if small else f"    {then}\n"


def _recorded_lines(source: Successions, recorded: dict[str, list[str]]) -> Iterator[str]:
    walked = {one for commands in recorded.values() for one in commands}
    steps = {label for label in source if is_landmark(label) and label.startswith(("activity", "child", "signal"))}
    missing = sorted(one for one in steps - walked if "(named at run time)" not in one)
    yield f"no history walks: {', '.join(missing) or 'nothing'}\n"
    for history, commands in recorded.items():
        counted = [(one.removeprefix("activity "), len([*same])) for one, same in groupby(commands)]
        yield f"{history}: {', '.join(f'{one} x{times}' if times > 1 else one for one, times in counted)}\n"


def pairs_in(text: str) -> set[str]:
    """Return the lines of a fingerprint, each with the step under which it stands."""
    found, under = set(), ""
    for line in text.removeprefix(text.partition("\n\n")[0]).splitlines():
        under = line if line and not line.startswith(" ") else under
        found.add(f"after {under}: {line.strip()}" if line.startswith(" ") else line)
    return found - {""}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for workflow in sorted(registered.workflows()):
        (FOLDER / f"{workflow}.txt").write_text(text_of(workflow), encoding="utf-8")
        sys.stdout.write(f"{workflow}\n")
