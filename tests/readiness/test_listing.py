"""What a pass is told to check."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.readiness.models import Checkable, Inventoried, InventoryRequest
from activities.readiness.steps import ReadinessActivities
from tests.readiness.estate import A_UNIT
from tests.readiness.figure import calm_of


async def _listed(folder: Path, *, gone: bool = False) -> Inventoried:
    calm = calm_of(folder, A_UNIT)
    calm.nodes.gone = gone
    steps = ReadinessActivities(calm.clients.inventory, calm.clients.nodes)
    return await ActivityEnvironment().run(steps.listed, InventoryRequest())


async def test_every_section_of_the_estate_is_listed_and_each_node_once(tmp_path: Path) -> None:
    listed = await _listed(tmp_path)
    assert len(listed.targets) == len({(one.subject, one.name) for one in listed.targets}) == A_UNIT
    assert [one.name for one in listed.targets if one.subject == "node"] == ["node-0", "node-1"]


async def test_a_region_that_starts_its_application_first_is_told_so(tmp_path: Path) -> None:
    (public,) = [one for one in (await _listed(tmp_path)).targets if one.subject == "traffic"]
    assert public == Checkable(subject="traffic", name="public-0", to=("home-0", "away-0"), starts_first=("away-0",))


async def test_a_pool_whose_api_server_is_silent_is_listed_as_unknown(tmp_path: Path) -> None:
    (pool,) = [one for one in (await _listed(tmp_path, gone=True)).targets if one.subject == "node"]
    assert (pool.name, "the nodes of pool workers are unknown: the API server does" in pool.unlisted) == ("workers", True)


async def test_an_estate_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    calm = calm_of(tmp_path, A_UNIT)
    (tmp_path / "estate.yaml").write_text("regions: [", encoding="utf-8")
    steps = ReadinessActivities(calm.clients.inventory, calm.clients.nodes)
    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(steps.listed, InventoryRequest())
    assert refused.value.type == "BadEstate"
