"""``pod-failover`` on a real Temporal server: what Kubernetes mends is left to it, what it does not is replaced once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.pods.models import PodDetails, Trouble
from activities.run.models.report import Outcome
from tests.fakes.faults import Fault
from tests.pods.bench import PodBench, serving
from tests.run.cancels import cancel

_STEPS = ("estate.resolve_workload", "pods.survey", "pods.await_healthy", "pods.replace")


async def test_where_nothing_is_broken_nothing_is_done(bench: PodBench) -> None:
    end, words = await bench.ending(await bench.start())
    assert end == "completed"
    assert "nothing was to be done" in words
    assert bench.world.deleted == []


async def test_what_kubernetes_mends_in_time_is_left_to_it(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.STARTING, seconds_ago=0.2, mended_in=0.7)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("completed", []), words
    report = bench.report()
    details = report.of(PodDetails)
    assert details.replaced is None
    assert details.recovery_seconds is not None
    assert 0.7 < details.recovery_seconds < 5
    assert report.measurement is not None
    assert report.measurement.acknowledged > 0


@pytest.mark.parametrize("trouble", [Trouble.CRASHING, Trouble.NOT_READY, Trouble.CANNOT_START])
async def test_a_pod_that_stays_broken_is_replaced_by_a_new_one(bench: PodBench, trouble: Trouble) -> None:
    bench.world.break_pod("api-0", trouble)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("completed", [("api-0", False)]), words
    report = bench.report()
    details = report.of(PodDetails)
    assert details.survey is not None
    assert details.survey.broken[0].log_tail == "its last words"
    assert details.survey.broken[0].events == ("12:00:00 Warning BackOff: as told",)
    assert details.mended is not None
    assert details.mended.answers_at is not None


@pytest.mark.parametrize("trouble", [Trouble.STUCK, Trouble.NODE_SILENT])
async def test_a_pod_whose_kubelet_is_silent_is_removed_at_once(bench: PodBench, trouble: Trouble) -> None:
    bench.world.break_pod("api-1", trouble)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("completed", [("api-1", True)]), words
    details = bench.report().of(PodDetails)
    assert details.replaced is not None
    assert details.replaced.forced == ("api-1",)


@pytest.mark.parametrize("trouble", [Trouble.STUCK, Trouble.NODE_SILENT])
async def test_one_that_may_still_write_its_volume_stays_until_its_machine_is_stopped(
    bench: PodBench, trouble: Trouble
) -> None:
    bench.world.break_pod("api-1", trouble)
    pod = bench.world.pods_by_name["api-1"]
    pod.seen = pod.seen.model_copy(update={"volumes": ("claim reports",), "node": "node-2"})
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("Stranded", [])
    assert "may still write claim reports" in words
    assert "failover plan node-failover node-2 --mode forced" in words


async def test_where_every_pod_is_broken_it_is_not_the_pods(bench: PodBench) -> None:
    for name in bench.world.names:
        bench.world.break_pod(name, Trouble.NOT_READY)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("NotThePods", [])
    assert "every pod of api-deployment is broken" in words
    assert "kubectl rollout undo" in words


async def test_all_that_break_while_it_waits_are_left_alone_too(bench: PodBench) -> None:
    for name in bench.world.names:
        bench.world.break_pod(name, Trouble.NOT_READY, seconds_ago=0)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("NotThePods", []), words
    assert bench.report().outcome is Outcome.REFUSED


async def test_a_replacement_that_is_broken_too_leaves_the_run_stranded(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    bench.world.fate_of_new = Trouble.CRASHING
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("Stranded", [("api-0", False)])
    assert "api-2: crash loop" in words
    assert "kubectl rollout undo deployment/api-deployment" in words
    report = bench.report()
    details = report.of(PodDetails)
    assert details.mended is not None
    assert not details.mended.whole
    assert details.mended.survey.broken[0].log_tail == "its last words"


async def test_a_pod_that_no_node_takes_is_not_replaced(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.UNSCHEDULED)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("Stranded", [])
    assert "give the cluster room" in words


async def test_a_service_that_answers_badly_is_not_called_whole(bench: PodBench) -> None:
    bench.world.answers = lambda: "api answers 503"
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("Stranded", [])
    assert "Service api: api answers 503" in words


async def test_the_last_pod_of_one_is_replaced(bench: PodBench) -> None:
    bench.world.wanted = 1
    del bench.world.pods_by_name["api-1"]
    bench.world.break_pod("api-0", Trouble.CRASHING)
    assert (await bench.ending(await bench.start()))[0] == "completed"
    assert bench.world.deleted == [("api-0", False)]


@pytest.mark.parametrize("step", _STEPS)
async def test_a_step_that_is_done_but_not_reported_is_made_again(bench: PodBench, step: str) -> None:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    bench.faults.order(step, Fault.UNREPORTED)
    end, words = await bench.ending(await bench.start())
    assert (end, bench.world.deleted) == ("completed", [("api-0", False)]), words


async def test_the_api_server_is_gone_for_a_while(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.NOT_READY, seconds_ago=0)
    handle = await bench.start()
    await bench.until_phase(handle, "waiting for recovery")
    bench.world.gone = True
    await asyncio.sleep(3)
    assert bench.world.deleted == []
    bench.world.gone = False
    assert (await bench.ending(handle))[0] == "completed"
    assert bench.world.deleted == [("api-0", False)]


async def test_a_cancel_while_kubernetes_has_its_time_replaces_nothing(temporal: Client, tmp_path: Path) -> None:
    async with serving(temporal, tmp_path, patience="PT30S") as bench:
        bench.world.break_pod("api-0", Trouble.NOT_READY, seconds_ago=0)
        handle = await bench.start()
        await bench.until_phase(handle, "waiting for recovery")
        await handle.cancel()
        assert await bench.ending(handle) == ("cancelled", "")
        assert bench.world.deleted == []
        assert "no pod was replaced" in bench.report().reason


async def test_a_cancel_after_the_replacement_does_not_stop_the_rest(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    hanging = bench.faults.order("pods.replace", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await cancel(handle)
    hanging.released.set()
    assert (await bench.ending(handle))[0] == "completed"


async def test_a_run_that_was_terminated_is_started_again(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    hanging = bench.faults.order("pods.replace", Fault.HANGS)
    handle = await bench.start()
    await hanging.reached.wait()
    await handle.terminate("by hand")
    hanging.released.set()
    assert (await bench.ending(await bench.start()))[0] == "completed"
    assert bench.world.deleted == [("api-0", False)]


async def test_a_plan_changes_nothing(bench: PodBench) -> None:
    bench.world.break_pod("api-0", Trouble.CRASHING)
    assert (await bench.ending(await bench.start(run="plan")))[0] == "completed"
    assert (bench.world.deleted, bench.world.struck) == ([], [])
    assert not (bench.folder / "records").exists()


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"workload": "nobody", "run": "real"}, "does not hold the lock"),
        ({"run": "real"}, "workload: missing"),
        ({"workload": 7}, "workload: input should be a valid string"),
        ({"workload": "api", "mode": "forced"}, "mode: unknown key"),
        ("api", "expected one JSON object"),
    ],
)
async def test_bad_input_gets_one_sentence(bench: PodBench, request_: object, sentence: str) -> None:
    end, words = await bench.ending(await bench.start(request_))
    assert end in {"BadInput", "WrongWorkflowId"}
    assert sentence in words


async def test_an_unknown_workload_is_named(bench: PodBench) -> None:
    end, words = await bench.ending(await bench.start({"workload": "nobody", "run": "real"}, id="pods/nobody"))
    assert end == "BadInput"
    assert f"the estate does not list 'nobody'; it lists {bench.workload}" in words
