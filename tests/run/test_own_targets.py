"""A run finishes with the inventory it started with; a step acts on what this worker, or one that signs, knows of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.postgres.models.transfer import SettleRequest
from activities.run.inventory import Inventory
from activities.run.models.wire import RunId
from activities.run.signing import Signatures
from estate.base import Target
from estate.loader import load_estate
from estate.nodes import NodeTarget
from estate.postgres import PostgresTarget
from estate.reference import reference_of
from estate.resolving import resolve_node, resolve_target
from tests.architecture.registered import classes
from tests.fakes.world import B, World
from tests.postgres.bench import Bench, serving, write_estate
from tests.run.test_hostile_steps import REQUESTS
from workflows.run.models import Decision
from workflows.run.phases import Phase

_RUN = RunId(workflow_id="postgres/orders", run_id="1")


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal: Client, tmp_path: Path) -> AsyncIterator[Bench]:
    """Ask a DBA to approve: time enough to edit the estate."""
    async with serving(temporal, tmp_path, World(), approvals={"planned": {"roles": ["DBA"], "window": "PT1M"}}) as bench:
        yield bench


async def _approved_after(bench: Bench, *, restart: bool, **edit: Any) -> tuple[str, str]:
    """Edit the estate while a run waits for approval, and restart its worker; return how the run ended, and why."""
    handle = await bench.switch(to=B)
    digest = (await bench.until_phase(handle, Phase.AWAITING_APPROVAL)).plan.digest  # type: ignore[union-attr]
    write_estate(bench.estate, bench.cluster, **edit)
    if restart:
        await bench.stop_worker()
        bench.start_worker()
    await handle.execute_update("decide", Decision(by="dana", plan=digest, approve=True))
    ending = await bench.ending(handle)
    return ending, "" if ending == "completed" else (await bench.refused(handle)).message


async def test_an_edit_does_not_reach_a_run_that_goes_on(bench: Bench) -> None:
    assert await _approved_after(bench, restart=False, write_service="elsewhere") == ("completed", "")
    await bench.until_consistent()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no time for another attempt."""
    monkeypatch.setattr("activities.run.inventory.ANOTHER_MAY_KNOW", timedelta(minutes=30))


@pytest.mark.usefixtures("_at_once")
async def test_after_an_edit_and_a_restart_an_unsigned_run_is_refused_and_nothing_has_changed(bench: Bench) -> None:
    ending, why = await _approved_after(bench, restart=True, write_service="elsewhere")

    assert ending == "BadInput"
    assert f"postgres {bench.cluster}: this worker's estate" in why
    assert "put the estate back until the run has ended" in why
    await bench.until_consistent()
    assert bench.world.record.leader != B


async def test_a_signed_one_goes_on_as_it_began(bench: Bench) -> None:
    bench.signatures = Signatures(lambda: "a secret")
    await bench.stop_worker()
    bench.start_worker()

    assert await _approved_after(bench, restart=True, write_service="elsewhere") == ("completed", "")
    await bench.until_consistent()


async def test_what_one_worker_does_not_know_another_may(bench: Bench) -> None:
    handle = await bench.switch(to=B)
    digest = (await bench.until_phase(handle, Phase.AWAITING_APPROVAL)).plan.digest  # type: ignore[union-attr]
    before = bench.estate.read_text(encoding="utf-8")
    write_estate(bench.estate, bench.cluster, write_service="elsewhere")
    await bench.stop_worker()
    bench.start_worker()
    await handle.execute_update("decide", Decision(by="dana", plan=digest, approve=True))
    await bench.until_phase(handle, Phase.SURVEYING)
    bench.estate.write_text(before, encoding="utf-8")

    assert await bench.ending(handle) == "completed"
    await bench.until_consistent()


@pytest.mark.usefixtures("_at_once")
async def test_another_s_signature_counts_for_nothing(bench: Bench) -> None:
    bench.signatures = Signatures(lambda: "somebody else's")
    await bench.stop_worker()
    bench.start_worker()
    bench.signatures = Signatures(lambda: "ours")

    assert (await _approved_after(bench, restart=True, write_service="elsewhere"))[0] == "BadInput"
    await bench.until_consistent()


async def test_a_file_that_cannot_be_read_any_more_does_not_stop_a_run(bench: Bench) -> None:
    handle = await bench.switch(to=B)
    digest = (await bench.until_phase(handle, Phase.AWAITING_APPROVAL)).plan.digest  # type: ignore[union-attr]
    bench.estate.write_text("regions: [", encoding="utf-8")
    await handle.execute_update("decide", Decision(by="dana", plan=digest, approve=True))

    assert await bench.ending(handle) == "completed"
    await bench.until_consistent()


async def test_what_is_found_for_one_run_proves_nothing_for_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_estate(tmp_path / "estate.yaml", "orders")
    target = resolve_target(load_estate(tmp_path / "estate.yaml"), "orders")
    signatures, wanted = Signatures(lambda: "a secret"), reference_of(target)

    async def search(*_: Any) -> Any:
        return target if activity.info().workflow_run_id == "its own" else None

    monkeypatch.setattr("activities.run.signing._search", search)
    found = []
    for run in ("its own", "another", "its own"):
        environment = ActivityEnvironment()
        environment.info = replace(environment.info, workflow_run_id=run)
        found.append(await environment.run(signatures.found_in_history, PostgresTarget, wanted))
    assert found == [target, None, target]


def test_a_reference_holds_a_name_and_nothing_to_reach_it_with(tmp_path: Path) -> None:
    write_estate(tmp_path / "estate.yaml", "orders")
    target = resolve_target(load_estate(tmp_path / "estate.yaml"), "orders")
    written = SettleRequest(target=target, run=_RUN).model_dump_json()
    told = SettleRequest.model_validate_json(written)

    assert (told.target.name, told.model_dump_json()) == ("orders", written)
    assert "env:" not in written
    for field in ("region", "cluster", "objective"):
        with pytest.raises(AttributeError):
            getattr(told.target, field)
    with pytest.raises(
        ValidationError,
        match="kind is 'volcano', expected one of drill, flexible, gateway, node, pool, postgres, redis, region, traffic,"
        " watched-region, workload",
    ):
        SettleRequest.model_validate({"target": {"kind": "volcano", "name": "x", "digest": "0"}, "run": _RUN})


def test_what_an_older_version_told_a_run_is_the_same_target(tmp_path: Path) -> None:
    write_estate(tmp_path / "estate.yaml", "orders")
    content = yaml.safe_load((tmp_path / "estate.yaml").read_text(encoding="utf-8"))
    content["node_pools"] = {"workers": {"region": "eastus"}}
    (tmp_path / "estate.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    target = resolve_node(load_estate(tmp_path / "estate.yaml"), "node-2", "workers")
    told = target.model_dump(mode="json")
    for older in (told, *told["postgres"]):
        older["records"] = "/var/lib/failover/records"

    assert told["postgres"]
    assert reference_of(NodeTarget.model_validate(told)) == reference_of(target)


def test_any_setting_counts_but_one_that_is_as_by_default(tmp_path: Path) -> None:
    digests = set()
    for changes in ({}, {"durability": "available"}, {"durability": "strict"}, {"database": "other"}):
        write_estate(tmp_path / "estate.yaml", "orders", **changes)
        digests.add(reference_of(resolve_target(Inventory(tmp_path / "estate.yaml").estate(), "orders")).digest)
    assert len(digests) == 3


def test_a_step_is_sent_no_whole_target() -> None:
    """Fields of requests that hold a target are ``Named``; what may be ``None`` is so by default: it is not written."""
    whole, unset = [], []
    for owner in {*classes("activities"), *classes("workflows"), *classes("gate")}:
        if not issubclass(owner, BaseModel):
            continue
        for name, field in owner.model_fields.items():
            holds = isinstance(field.annotation, type) and issubclass(field.annotation, Target)
            if holds and owner in REQUESTS.values() and not field.metadata:
                whole.append(f"{owner.__name__}.{name}")
            if type(None) in getattr(field.annotation, "__args__", ()) and (
                field.is_required() or field.default is not None
            ):
                unset.append(f"{owner.__name__}.{name}")
    assert (whole, unset) == ([], [])
