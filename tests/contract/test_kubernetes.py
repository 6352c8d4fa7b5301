from __future__ import annotations

import pytest

from activities.clients.ports import ConflictError, MissingError, Rollout
from tests.contract.conftest import Bench


async def test_the_record_names_the_pod_behind_the_service(bench: Bench) -> None:
    record = await bench.record()
    assert record.leader == record.selector
    assert await bench.kubernetes.endpoints(bench.region, bench.service) == (record.leader,)


async def test_of_two_writers_one_is_told_and_changes_nothing(bench: Bench) -> None:
    old = await bench.record()
    written = await bench.write(run="contract/first")
    with pytest.raises(ConflictError):
        await bench.leader_records.write(bench.region, bench.service, old.model_copy(update={"run": "contract/late"}))
    now = await bench.record()
    assert now.run != "contract/late"
    assert written.resource_version != old.resource_version


async def test_the_lease_is_of_the_records_epoch_whoever_asks(bench: Bench) -> None:
    async def is_renewed() -> bool:
        record = await bench.record()
        epoch = await bench.leader_records.lease_epoch(bench.region, bench.service)
        kept = await bench.leader_records.lease(bench.region, bench.service, record.leader)
        return kept is not None and epoch == kept.epoch == record.epoch

    await bench.until(is_renewed)
    assert await bench.leader_records.lease(bench.region, bench.service, await bench.standby()) is None


async def test_a_preview_says_what_would_change_and_changes_nothing(bench: Bench) -> None:
    before, standby = await bench.record(), await bench.standby()
    wanted = before.model_copy(update={"leader": standby})
    diff = await bench.leader_records.preview(bench.region, bench.service, wanted)
    assert any(line.startswith("+") and standby in line for line in diff.splitlines())
    assert await bench.record() == before


async def test_only_pods_that_exist_are_told_of(bench: Bench) -> None:
    leader = await bench.leader()
    found = await bench.kubernetes.pods(bench.region, bench.target.cluster.members)
    assert set(found) == set(bench.target.cluster.members)
    assert found[leader].ready


async def test_logs_are_text(bench: Bench) -> None:
    assert await bench.kubernetes.logs(bench.region, await bench.leader(), 5)


async def test_a_restart_with_the_same_mark_is_one_restart(bench: Bench) -> None:
    name = bench.target.cluster.applications[0].deployment
    await bench.kubernetes.restart_deployment(bench.region, name, "contract@1")

    async def is_done() -> bool:
        return (await bench.kubernetes.deployment_progress(bench.region, name)).done

    await bench.until(is_done)
    await bench.kubernetes.restart_deployment(bench.region, name, "contract@1")
    assert await bench.kubernetes.deployment_progress(bench.region, name) == Rollout(2, 2, done=True)
    assert await bench.kubernetes.untaken_pods(bench.region, name) == {}


async def test_an_application_that_is_not_there_is_named(bench: Bench) -> None:
    with pytest.raises(MissingError, match="api-nowhere"):
        await bench.kubernetes.deployment_progress(bench.region, "api-nowhere")
