"""What can be broken of two regions and healed again: each may be asked for twice."""

from __future__ import annotations

import pytest

from deploy.lab.names import LabUsageError
from deploy.lab.regions.faults import break_it, heal
from tests.deploy.scene import EAST, WEST, FakeScene


@pytest.mark.parametrize(
    ("what", "target", "calls"),
    [
        ("region", "", ["lose eastus", "restore eastus"]),
        ("region", WEST, ["lose westus2", "restore westus2"]),
        ("api-server", "", ["end API server eastus", "restore eastus"]),
        ("api-server", WEST, ["end API server westus2", "restore westus2"]),
        ("edge", "", ["end edge", "start edge"]),
    ],
)
async def test_what_is_broken_twice_is_broken_once_and_so_it_is_healed(what: str, target: str, calls: list[str]) -> None:
    scene = FakeScene()
    first, second = [await break_it(scene, what, target) for _ in range(2)]
    assert ("already" in first, "already" in second) == (False, True)
    healed, again = [await heal(scene, what, target, print) for _ in range(2)]
    assert ("nothing was done" in healed, "nothing was done" in again) == (False, True)
    assert scene.calls == calls


async def test_the_api_server_of_a_lost_region_is_lost_with_it_and_comes_back_with_it() -> None:
    scene = FakeScene()
    await break_it(scene, "region", "")
    assert await break_it(scene, "api-server", "") == "eastus is lost already; nothing was done"
    assert "nothing was done" in await heal(scene, "api-server", "", print)
    await heal(scene, "region", "", print)
    assert scene.has_api_server(EAST)


async def test_both_regions_are_lost_and_the_one_whose_database_leads_is_healed_first() -> None:
    scene = FakeScene()
    scene.leader = WEST
    for region in (EAST, WEST):
        await break_it(scene, "region", region)
    assert await heal(scene, "region", "", print) == "westus2 and eastus are back as before"
    assert scene.calls[2:] == ["restore westus2", "restore eastus"]


async def test_heal_without_a_name_starts_whatever_does_not_run() -> None:
    scene, said = FakeScene(), list[str]()
    scene.edge = False
    assert await heal(scene, "", "", said.append) == "everything runs"
    assert scene.calls == ["restore rest", "restore eastus", "restore westus2", "start edge"]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("what", "target", "words"),
    [
        ("nonsense", "", "what: 'nonsense' is not one of region, api-server, edge"),
        ("region", "nope", "target: 'nope' is no region; there is eastus, westus2"),
        ("api-server", "nope", "target: 'nope' is no region; there is eastus, westus2"),
        ("edge", EAST, "target: 'eastus' is too much; there is one edge"),
    ],
)
async def test_what_was_typed_wrongly_lists_the_choices_and_does_nothing(what: str, target: str, words: str) -> None:
    scene = FakeScene()
    with pytest.raises(LabUsageError, match=words):
        await break_it(scene, what, target)
    with pytest.raises(LabUsageError, match=words):
        await heal(scene, what, target, print)
    assert scene.calls == []
