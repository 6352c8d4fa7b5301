"""Runs that are open while their code is changed must go on: every kept history replays with today's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from activities.detection.witness import WitnessActivities
from activities.nodes.machine_steps import MachineActivities
from activities.nodes.steps import NodeActivities
from activities.nodes.survey import NodeLookActivities
from activities.pods.steps import PodActivities
from activities.redis.election import RedisElectActivities
from activities.redis.measure import RedisMeasureActivities
from activities.redis.post_promotion import RedisAftermathActivities
from activities.redis.survey import RedisLookActivities
from activities.redis.transfer import RedisSwitchActivities
from activities.run.declare import steps_of
from activities.run.inventory import Inventory
from tests.fakes.world import World
from tests.postgres.worker import steps_for
from tests.replay.record import ALL, HISTORIES
from workflows.catalog import RUNNER, workflows
from workflows.run.payloads import DATA_CONVERTER


async def replay(name: str, text: str) -> None:
    """Replay the history in ``text``; say what to do when today's code would have gone another way."""
    began = WorkflowHistory.from_json(name, text).events[0].workflow_execution_started_event_attributes
    history = WorkflowHistory.from_json(began.workflow_id, text)
    replayer = Replayer(workflows=workflows(), workflow_runner=RUNNER, data_converter=DATA_CONVERTER)
    failure = (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure
    if failure is not None:
        pytest.fail(
            f"{began.workflow_type.name} would no longer do what it did in tests/replay/histories/{name}.json:"
            " a run that is open when it is deployed would stop for ever. Gate the change with workflow.patched(...); or,"
            f" if no such run can be open any more, record anew with: python -m tests.replay.record {name}\n"
            f"{str(failure).splitlines()[0][:300]}",
            pytrace=False,
        )


_BEFORE = {f"before/{path.stem}" for path in HISTORIES.glob("before/*.json")}
"""What was recorded before a change that ``workflow.patched`` gates: it proves the old way, and is not recorded anew."""


@pytest.mark.parametrize("name", sorted(ALL | _BEFORE))
async def test_a_kept_history_replays(name: str) -> None:
    await replay(name, (HISTORIES / f"{name}.json").read_text(encoding="utf-8"))


async def test_a_changed_order_of_steps_is_said_in_a_sentence() -> None:
    text = (HISTORIES / "planned-completed.json").read_text(encoding="utf-8")
    swapped = text.replace('"postgres.fence"', '"?"').replace('"postgres.promote"', '"postgres.fence"')
    with pytest.raises(pytest.fail.Exception, match=r"postgres-failover would no longer .* workflow\.patched"):
        await replay("planned-completed", swapped.replace('"?"', '"postgres.promote"'))


def test_there_is_a_history_for_every_run_and_a_run_for_every_history() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} == ALL


def test_every_step_occurs_in_a_history(tmp_path: Path) -> None:
    owners = (
        RedisLookActivities,
        RedisSwitchActivities,
        RedisElectActivities,
        RedisAftermathActivities,
        RedisMeasureActivities,
    )
    nobody = cast("Any", None)
    others = [
        PodActivities(nobody),
        NodeLookActivities(nobody, nobody, nobody, nobody),
        NodeActivities(nobody),
        MachineActivities(nobody, nobody),
        WitnessActivities(nobody),
        *(owner(nobody) for owner in owners),
    ]
    known = [*steps_for(World(), Inventory(tmp_path)), *(step for owner in others for step in steps_of(owner))]
    steps = {str(activity._Definition.must_from_callable(step).name) for step in known}
    kept = "".join(path.read_text(encoding="utf-8") for path in HISTORIES.rglob("*.json"))
    assert {step for step in steps if f'"{step}"' not in kept} == set()


def test_no_history_names_this_machine() -> None:
    for path in HISTORIES.glob("*.json"):
        assert "/site-packages/" not in path.read_text(encoding="utf-8"), path.name
