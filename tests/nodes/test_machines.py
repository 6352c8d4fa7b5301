"""``node-failover --mode forced`` where the machine's own control plane may prove that it is stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.nodes.machine_models import MachineState
from activities.nodes.run_models import NodeDetails
from starters.render.nodes import node_lines
from tests.nodes.bench import NodeBench, serving
from tests.nodes.proving import ALL, ENDS, LOOKS, attest, explained, until_asked, waits

_INSTANCE = (
    "azure:///subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/v/virtualMachines/3"
)


@pytest.mark.parametrize("state", [MachineState.STOPPED, MachineState.DEALLOCATED])
async def test_a_machine_that_does_not_run_is_proof_without_a_word(dark: NodeBench, state: MachineState) -> None:
    handle = await waits(dark)
    await until_asked(dark, handle, 2)
    assert "redis-0" not in dark.world.removed
    dark.machines.states[dark.node] = state
    end, words = await dark.ending(handle)
    assert (end, sorted(dark.world.removed)) == ("completed", ALL), words
    report = dark.report()
    details = report.of(NodeDetails)
    assert details.proof is not None
    assert (details.proof.kind, report.attested_by) == ("machine", "")
    assert details.proof.words == f"http says that the machine of {dark.node} is {state.value}"
    (line,) = [line for line in node_lines(details) if line.startswith("proof (machine) at ")]
    assert line.endswith(details.proof.words)
    assert dark.machines.ended == []


@pytest.mark.parametrize("state", [MachineState.CHANGING, MachineState.UNKNOWN, MachineState.RUNNING])
async def test_nothing_else_is_proof_and_a_word_still_counts(dark: NodeBench, state: MachineState) -> None:
    dark.machines.keeps = state
    handle = await waits(dark)
    await until_asked(dark, handle, 2)
    await attest(dark, handle)
    assert (await dark.ending(handle))[0] == "completed"
    details = dark.report().of(NodeDetails)
    proof = details.proof
    assert proof is not None
    assert (proof.kind, proof.words) == ("attested", f"dana says that {dark.node} is stopped")
    assert dark.machines.ended == []


async def test_a_control_plane_that_speaks_of_another_machine_is_not_believed(dark: NodeBench) -> None:
    handle = await waits(dark)
    dark.world.dark.discard(dark.node)
    dark.machines.states[dark.node] = MachineState.STOPPED
    await explained(dark, handle, "and yet its kubelet answers: that is no proof")
    assert dark.world.nodes_by_name[dark.node].taints == ()


@pytest.mark.parametrize("trouble", ["silent", "forbidden", "missing"])
async def test_a_control_plane_that_says_nothing_leaves_it_to_the_word(dark: NodeBench, trouble: str) -> None:
    dark.machines.silent, dark.machines.forbidden = trouble == "silent", trouble == "forbidden"
    dark.machines.missing = {dark.node} if trouble == "missing" else set()
    handle = await waits(dark)
    if trouble == "silent":
        await until_asked(dark, handle, 2)
    else:
        said = {"forbidden": f"asked for {dark.node}: grant the worker", "missing": f"nobody knows {dark.node}"}
        await explained(dark, handle, f"its machine proves nothing: {said[trouble]}")
    await attest(dark, handle)
    assert (await dark.ending(handle))[0] == "completed"
    details = dark.report().of(NodeDetails)
    proof = details.proof
    assert proof is not None
    assert proof.kind == "attested"


async def test_a_control_plane_that_answers_again_is_heard(dark: NodeBench) -> None:
    dark.machines.silent = True
    dark.machines.states[dark.node] = MachineState.STOPPED
    handle = await waits(dark)
    await until_asked(dark, handle, 2)
    dark.machines.silent = False
    assert (await dark.ending(handle))[0] == "completed"


@pytest.mark.parametrize("dark", [{"kind": "azure"}], ids=["azure"], indirect=True)
@pytest.mark.parametrize("provider_id", [_INSTANCE, "aws:///eu-1/i-1", ""])
async def test_an_instance_that_is_gone_is_proof_only_where_it_is_known_which(dark: NodeBench, provider_id: str) -> None:
    node = dark.world.nodes_by_name[dark.node]
    dark.world.nodes_by_name[dark.node] = node.model_copy(update={"provider_id": provider_id})
    dark.machines.missing = {dark.node}
    handle = await dark.start(mode="forced")
    if provider_id == _INSTANCE:
        assert (await dark.ending(handle))[0] == "completed"
        details = dark.report().of(NodeDetails)
        proof = details.proof
        assert proof is not None
        assert proof.words == f"azure says that the machine of {dark.node} is gone"
    else:
        await explained(dark, handle, f"its machine proves nothing: nobody knows {dark.node}")
        assert dark.world.nodes_by_name[dark.node].taints == ()


async def test_no_proof_in_time(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, machines=LOOKS, word_within="PT2S") as dark:
        dark.world.put(dark.node, "redis-0", "StatefulSet", owner="redis")
        dark.world.go_dark(dark.node)
        end, words = await dark.ending(await dark.start(mode="forced"))
        assert end == "Stranded"
        assert "redis-0: waits for proof" in words
        asked = dark.machines.asked
        await asyncio.sleep(1.5)
        assert dark.machines.asked == asked > 0


@pytest.mark.parametrize(
    ("dark", "sentence"),
    [
        (LOOKS, "http says that the machine of NODE does not run, or somebody says that it is stopped"),
        (LOOKS, "this run does not end it"),
        (ENDS, "THIS RUN ENDS THE MACHINE, once the node has been silent for a while;"),
    ],
    indirect=["dark"],
)
async def test_the_plan_says_what_is_proof_and_whether_the_machine_is_ended(dark: NodeBench, sentence: str) -> None:
    handle = await dark.start(mode="forced", run="plan")
    assert (await dark.ending(handle))[0] == "completed"
    plan = (await dark.status(handle)).plan
    assert plan is not None
    assert any(sentence.replace("NODE", dark.node) in step for step in plan.steps), plan.steps
    assert dark.machines.asked == 0
