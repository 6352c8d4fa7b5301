"""Who is asked for the evidence, and what is said of those who do not answer. Fakes stand behind the ports."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from activities.clients.ports import BusyError, ForbiddenError, MissingError, UnreachableError
from activities.clients.reading_facts import BackupFact, ProbeFact, QuotaFact
from activities.region import evidence
from activities.region.evidence import EvidenceReader, images_there
from activities.region.evidence_models import DatabaseEvidence, Evidence
from activities.region.models import AzureFact, Role
from estate.base import Region
from estate.regions import RegionFailover, RegionTarget
from tests.region.samples import DATABASE, NEW, NOW, OLD, TARGET

_SIZE = "Standard_D4ds_v5"
_FAMILIES = ("standardBSFamily", "StandardDDSv5Family")
_TO = Region(location="West US 2", namespace="aiagent-prod")


class _Azure:
    """Answers with what a test puts into it; ``wrong`` is raised by the call of that name."""

    poll = timedelta(milliseconds=1)

    def __init__(self) -> None:
        self.roles = {OLD: Role.PRIMARY, NEW: Role.REPLICA}
        self.wrong: dict[str, list[Exception]] = {}
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.waiting = self.most_waiting = 0

    async def server(self, _: object, server: str) -> AzureFact:
        await self._meet("server", server)
        return AzureFact(name=server, role=self.roles[server], sku=_SIZE)

    async def backup(self, _: object, server: str) -> BackupFact:
        await self._meet("backup", server)
        return BackupFact(server=server, name=f"of-{server}", completed_at=NOW)

    async def quotas(self, _: object, region: str, location: str) -> tuple[QuotaFact, ...]:
        await self._meet("quotas", location)
        return tuple(QuotaFact(region=region, family=one, used=4, limit=100) for one in _FAMILIES)

    async def probes(self, target: Any) -> tuple[ProbeFact, ...]:
        await self._meet("probes", target.name)
        return (ProbeFact(traffic=target.name),)

    async def _meet(self, what: str, whom: str) -> None:
        self.asked.append(f"{what} {whom}")
        if what in self.silent:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
            try:
                await asyncio.Event().wait()
            finally:
                self.waiting -= 1
        if self.wrong.get(what):
            raise self.wrong[what].pop(0)


class _NoEstate:
    latest = None


async def _read(azure: _Azure, *, back: bool = False, **entry: Any) -> Evidence:
    settings = RegionFailover.model_validate({"to": "westus2", "databases": [DATABASE], "overlay": "/overlay", **entry})
    target = RegionTarget(name="eastus", region=TARGET.region, settings=settings, to=_TO, databases=(TARGET,))
    reader = EvidenceReader(cast("Any", azure), cast("Any", azure), cast("Any", _NoEstate()))
    return await reader.read(target, back=back)


async def _database(azure: _Azure, *, back: bool = False) -> DatabaseEvidence:
    [found] = (await _read(azure, back=back)).databases
    return found


async def test_both_servers_and_both_regions_are_asked() -> None:
    azure = _Azure()
    found = await _database(azure)
    assert sorted(azure.asked) == sorted([
        f"server {OLD}", f"server {NEW}", f"backup {OLD}", f"backup {NEW}", "quotas East US", "quotas West US 2",
    ])  # fmt: skip
    assert (found.old.name, found.new.name, found.backup.server) == (OLD, NEW, OLD)
    assert [(one.region, one.family) for one in (found.quota_old, found.quota_new)] == [
        ("eastus", _FAMILIES[1]), ("westus2", _FAMILIES[1]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "back", "leader"),
    [
        (Role.PRIMARY, Role.REPLICA, False, OLD), (Role.REPLICA, Role.PRIMARY, False, NEW),
        (Role.PRIMARY, Role.PRIMARY, False, OLD), (Role.UNKNOWN, Role.REPLICA, False, OLD),
        (Role.REPLICA, Role.PRIMARY, True, NEW), (Role.PRIMARY, Role.REPLICA, True, OLD),
    ],
)  # fmt: skip
async def test_the_backup_of_who_leads_counts(*, old: Role, new: Role, back: bool, leader: str) -> None:
    azure = _Azure()
    azure.roles = {OLD: old, NEW: new}
    found = await _database(azure, back=back)
    assert found.backup.server == leader
    assert found.new.name == (OLD if back else NEW)


async def test_an_azure_that_is_busy_for_a_moment_is_asked_again() -> None:
    azure = _Azure()
    azure.wrong["backup"] = [BusyError("429"), UnreachableError("no answer")]
    assert (await _database(azure)).backup == BackupFact(server=OLD, name=f"of-{OLD}", completed_at=NOW)


async def test_everybody_who_is_silent_is_said_to_be_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_SECONDS", 0.2)
    azure = _Azure()
    azure.silent = {"server", "backup", "quotas"}
    found, words = await _database(azure), "Azure does not answer within 0.2 s"
    assert {found.old.error, found.new.error, found.backup.error, found.quota_old.error, found.quota_new.error} == {words}
    assert azure.most_waiting == 6, "all of them at once"


async def test_a_right_that_is_missing_is_named() -> None:
    azure = _Azure()
    azure.wrong["quotas"] = [ForbiddenError("grant the worker usages/read") for _ in range(2)]
    found = await _database(azure)
    assert (found.quota_new.error, found.quota_new.limit, found.backup.error) == ("grant the worker usages/read", None, "")


async def test_a_family_without_a_quota_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.region.test_evidence_reader._FAMILIES", ("standardBSFamily",))
    assert (await _database(_Azure())).quota_new.error == "Azure lists no quota of standardDDSv5Family there"


async def test_traffic_that_cannot_be_looked_up_is_not_known() -> None:
    [probe] = (await _read(_Azure(), traffic=["api"])).probes
    assert (probe.traffic, probe.error) == ("api", "the worker's estate cannot be read")


@pytest.mark.parametrize("error", [UnreachableError("silent"), ForbiddenError("grant it"), MissingError("no context")])
async def test_nodes_that_cannot_be_asked_are_not_known(error: Exception) -> None:
    class Clusters:
        async def images(self, _: Region) -> tuple[frozenset[str], ...]:
            raise error

    assert (await images_there(cast("Any", Clusters()), _TO, ("api:2",))).error == str(error)
