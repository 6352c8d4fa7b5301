"""The order of a workflow's commands is the same as when its fingerprint was made: open runs replay it."""

from __future__ import annotations

import pytest

from activities.run.declare import RENAMED
from tests.architecture import fingerprints, registered

_REMEDY = (
    "A run that is open when this is deployed would stop for ever where its history says something else. Gate it with"
    " workflow.patched(...), then record the histories anew: python -m tests.replay.record NAME, and the fingerprint:"
    " python -m tests.architecture.fingerprints"
)


def test_there_is_a_fingerprint_for_every_workflow() -> None:
    assert {path.stem for path in fingerprints.FOLDER.glob("*.txt")} == set(registered.workflows())


@pytest.mark.parametrize("name", sorted(registered.workflows()))
def test_the_order_of_commands_is_the_same(name: str) -> None:
    kept = fingerprints.pairs_in((fingerprints.FOLDER / f"{name}.txt").read_text(encoding="utf-8"))
    now = fingerprints.pairs_in(fingerprints.text_of(name))
    if kept != now:
        changes = [f"no more: {line}" for line in sorted(kept - now)] + [f"new: {line}" for line in sorted(now - kept)]
        shown = "\n".join(f"  {line[:300]}" for line in changes[:40])
        pytest.fail(f"the commands of {name} have changed:\n{shown}\n{_REMEDY}", pytrace=False)


@pytest.mark.parametrize("name", sorted(registered.workflows()))
def test_the_source_shows_every_step_that_a_history_has(name: str) -> None:
    """Else it is written in a way that ``tests.architecture.flow`` does not follow, and the fingerprint guards nothing."""
    source = fingerprints.source_of(name)
    seen = set(source) | {then for following in source.values() for _, then in following}
    walked = {one for commands in fingerprints.recorded_of(name).values() for one in commands}
    steps = {one for one in walked if one.startswith(("activity", "child", "signal", "patched"))}
    at_run_time = {one for one in steps if one.startswith("child") and "child (named at run time)" in seen}
    assert steps - at_run_time - seen == set()


def test_every_step_belongs_to_a_workflow() -> None:
    seen = {label for name in registered.workflows() for label in fingerprints.source_of(name)}
    today = registered.activities().keys() - RENAMED.keys()
    assert {name for name in today if f"activity {name}" not in seen} == set()
    assert {label for label in seen if label.startswith("activity ")} <= {
        f"activity {name}" for name in registered.activities()
    }
