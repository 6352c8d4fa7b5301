"""What doctor says of what workers and witnesses are allowed to do and can reach, and where its remedies point."""

from __future__ import annotations

from typing import Any, cast

import pytest

from activities.clients.ports import MissingError, UnreachableError
from activities.detection import doctor as witnesses
from activities.doctor.looks import Doctors, SubjectLook
from activities.run.models.doctor import Finding, Severity
from estate.base import Region
from tests.postgres.samples import target


class _Permissions:
    """An API server that answers what it is told to."""

    def __init__(self, answers: dict[str, bool | Exception]) -> None:
        self.answers, self.asked = answers, list[str]()

    async def may(self, region: Region, verb: str, resource: str, name: str = "", group: str = "") -> bool:  # noqa: ARG002
        return False

    async def may_delete(self, region: Region, pod: str) -> bool:  # noqa: ARG002
        self.asked.append(pod)
        answer = self.answers[pod]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def selector_managers(self, region: Region, service: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()


def _look(**answers: bool | Exception) -> tuple[SubjectLook, _Permissions]:
    permissions = _Permissions({name.replace("_", "-"): answer for name, answer in answers.items()})
    nothing = cast("Any", None)
    return SubjectLook(nothing, nothing, permissions, nothing, Doctors(nothing, nothing, nothing, nothing)), permissions


async def _guard(first: bool | Exception, second: bool | Exception = False) -> list[Finding]:  # noqa: FBT001, FBT002
    members = target().cluster.members
    look, permissions = _look()
    permissions.answers = dict.fromkeys(members, second) | {members[0]: first}
    return await look._guard(target())


async def test_a_worker_that_may_delete_a_members_pod_is_warned_of() -> None:
    (found,) = await _guard(first=True)
    assert found.severity is Severity.WARNING
    assert target().cluster.members[0] in found.message
    assert "guard.yaml" in found.remedy
    assert "guard.failover" in found.remedy


async def test_a_guard_that_holds_is_fine_also_where_one_pod_is_missing() -> None:
    for found in (await _guard(first=False), await _guard(MissingError("no pod"), second=False)):
        assert [one.severity for one in found] == [Severity.OK]
    assert await _guard(MissingError("no pod"), MissingError("no pod")) == []


async def test_a_silent_api_server_is_no_guard() -> None:
    (found,) = await _guard(UnreachableError("the API server does not answer"))
    assert found.severity is Severity.WARNING


async def test_missing_permissions_on_nodes_name_the_binding_and_its_namespace() -> None:
    look, _ = _look()
    found = await look._pools_of(Region(location="East US", namespace="shop-prod"))
    assert len(found) == 7
    for one in found:
        assert "ClusterRoleBinding failover-nodes" in one.remedy
        assert "namespace" in one.remedy


@pytest.mark.parametrize(("there", "severity"), [(0, Severity.FAULT), (2, Severity.WARNING), (3, Severity.OK)])
async def test_witnesses_that_are_missing_are_named_with_what_they_need(
    monkeypatch: pytest.MonkeyPatch, there: int, severity: Severity
) -> None:
    names = ("w-0", "w-1", "w-2")

    async def polls(_: Any, queue: str, __: Any) -> bool:
        return any(queue.endswith(name) for name in names[:there])

    monkeypatch.setattr(witnesses, "polls", polls)
    (found,) = await witnesses.of_witnesses(cast("Any", None), "failover", names)
    assert found.severity is severity
    if severity is not Severity.OK:
        assert f"kubectl logs {names[there]}" in found.remedy
        for need in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "failover-temporal", "FAILOVER_WITNESS"):
            assert need in found.remedy
