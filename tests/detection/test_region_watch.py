"""A region is lost: people are told since when, by how many, and what to type; nothing is begun."""

from __future__ import annotations

import re
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.detection.models import Kind, Look
from activities.run.models.wire import read
from tests.detection.bench import WatchBench, watching
from tests.detection.region_samples import list_region, lost
from tests.postgres.bench import Handle
from workflows.detection.models import WatchStatus, watch_id


async def _status(watch: Handle) -> WatchStatus:
    return read(WatchStatus, await watch.query("watch_status"))


async def _until(one: WatchBench, watch: Handle, words: str) -> WatchStatus:
    async def holds() -> bool:
        return words in "\n".join([(await _status(watch)).headline, *(await _status(watch)).witnesses])

    await one.bench.until(holds)
    return await _status(watch)


async def _is_well(watch: Handle) -> bool:
    status = await _status(watch)
    return status.headline == "healthy" and not status.alarm


async def _begun(watch: Handle) -> bool:
    kind = EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    return any(event.event_type == kind for event in (await watch.fetch_history()).events)


async def test_a_majority_finds_it_lost_and_people_are_told(temporal: Client, tmp_path: Path) -> None:
    async with watching(temporal, tmp_path, "notify") as one:
        name = list_region(one.bench.estate)
        watch = await one.bench.start({"target": name}, workflow="region-watch", id=watch_id(Kind.REGION, name))
        one.let(lost(name), "east")
        assert (await _until(one, watch, f"east: edge of api-{name} is down")).gone == ()

        one.let(lost(name), "west")
        status = await _until(one, watch, "LOST")
        (told,) = status.gone
        assert f"{name} does not answer, say 2 of 3 witnesses: nothing answers" in told
        (since,) = re.findall(r"customers not served since (\S+Z)", told)
        command = f"region-failover {name} --to westus2 --mode forced --down-since {since}"
        (advice,) = status.advice
        assert f"failover plan {command};" in advice
        assert f'failover start {command} --confirm "ACTIVATE DR"' in advice
        assert advice in status.last_words
        assert (status.alarm, status.open, await _begun(watch)) == (True, (), False)

        one.let(Look(blind="nothing answers"), "east", "west")
        blind = await _until(one, watch, "BLIND: 1 of 3 sees")
        assert (blind.gone, blind.advice, blind.alarm) == ((), (), True)

        one.let(Look())
        await one.bench.until(lambda: _is_well(watch))
        assert not await _begun(watch)
