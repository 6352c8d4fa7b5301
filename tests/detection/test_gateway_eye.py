"""What one witness makes of a gateway: Azure's word and the backends' own must agree."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from activities.clients.ports import BusyError, ForbiddenError
from activities.detection.models import Condition, Look
from activities.detection.probes.gateways import AzureWords, GatewayEye
from activities.traffic.gateway_models import BackendFact, Basis, Direct, GatewayFact, Health
from deploy.lab.patience import stretched
from estate.gateways import GatewayTarget
from tests.gateways.samples import target_of
from tests.gateways.world import A, B, C

_UP, _DOWN = Health.UP, Health.DOWN
_GOOD, _BAD, _SILENT = (Direct.GOOD, "200"), (Direct.BAD, "503"), (Direct.SILENT, "no answer within 2 s")


class _Sees:
    """Azure and the backends, as one witness reaches them; ``health`` is of those in the pool."""

    poll = timedelta(seconds=1)

    def __init__(self, health: dict[str, Health], direct: dict[str, tuple[Direct, str]] | None = None) -> None:
        self.told, self.direct = health, direct or {}
        self.has: dict[str, Any] = {"has_pool": True, "has_settings": True}
        self.error: Exception | None = None
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def gateway(self, target: GatewayTarget) -> GatewayFact:  # noqa: ARG002
        await self.answers.wait()
        return GatewayFact(state="Succeeded", basis=Basis(pool=tuple(self.told)), **self.has)

    async def health(self, target: GatewayTarget) -> tuple[BackendFact, ...]:  # noqa: ARG002
        self.asked += 1
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return tuple(BackendFact(address=one.upper(), health=health) for one, health in self.told.items())

    async def ask(self, target: GatewayTarget, gateway: GatewayFact, address: str) -> tuple[Direct, str]:  # noqa: ARG002
        return self.direct.get(address, _GOOD)


def _eye(sees: _Sees, words: AzureWords | None = None, **changes: Any) -> GatewayEye:
    watch = {"asks_azure_every": "PT0.05S", **changes}
    return GatewayEye(words or AzureWords(sees), sees, target_of(watch=watch))  # type: ignore[arg-type]


async def _look(sees: _Sees) -> Look:
    return await _eye(sees).look()


@pytest.mark.parametrize(
    ("health", "direct", "found"),
    [
        ({A: _UP, B: _UP, C: _UP}, {}, []),
        ({A: _UP, B: _DOWN, C: _UP}, {B: _BAD}, [(B, Condition.STOPPED)]),
        ({A: _UP, B: _DOWN, C: _UP}, {B: _SILENT}, [(B, Condition.SILENT)]),
        ({A: _UP, B: _UP, C: _UP}, {B: _BAD}, []),
        ({A: _UP, B: Health.UNKNOWN, C: _UP}, {B: _BAD}, []),
        ({A: _UP, C: _UP}, {B: _BAD}, []),
        ({A: _UP, C: _UP}, {}, [(B, Condition.RETURNED)]),
        ({A: _UP, B: _DOWN}, {B: _BAD}, [(B, Condition.STOPPED), (C, Condition.RETURNED)]),
        ({A: _UP, "10.9.9.9": _DOWN}, {B: _BAD, C: _BAD}, []),
    ],
)
async def test_both_must_call_a_backend_down_and_only_one_that_is_out_is_put_in(
    health: dict[str, Health], direct: dict[str, Any], found: list[Any]
) -> None:
    look = await _look(_Sees(health, direct))
    assert ([(one.subject, one.condition) for one in look.findings], look.blind) == (found, "")
    assert not any(one.advice for one in look.findings)


async def test_one_that_answers_although_the_gateway_calls_it_down_is_for_people() -> None:
    (found,) = (await _look(_Sees({A: _UP, B: _DOWN}, {C: _BAD}))).findings
    assert (found.subject, "see the network between" in found.advice) == (f"way to {B}", True)
    assert found.words == f"{B}: the gateway says Down; asked directly: 200".replace(B, B.upper(), 1)


async def test_when_all_are_down_none_is_the_cause() -> None:
    bad = dict.fromkeys((A, B, C), _BAD)
    (found,) = (await _look(_Sees(dict.fromkeys((A, B, C), _DOWN), bad))).findings
    assert (found.subject, "taking all out helps nobody" in found.advice) == ("aiagent-appgw", True)
    assert "EVERY BACKEND IS UNHEALTHY" in found.words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has": {"has_pool": False, "has_settings": True}}, "has no pool api-pool: correct pool in the estate"),
        ({"has": {"has_pool": True, "has_settings": False}}, "has no settings api-http-settings"),
        ({"error": ForbiddenError("AuthorizationFailed: backendhealth/action")}, "AuthorizationFailed"),
    ],
)
async def test_without_azure_s_word_it_is_blind(changes: dict[str, Any], words: str) -> None:
    sees = _Sees({A: _UP, B: _DOWN}, {B: _BAD})
    vars(sees).update(changes)
    look = await _look(sees)
    assert (look.findings, words in look.blind) == ((), True)


async def test_a_slow_azure_makes_it_blind_until_it_has_answered_and_holds_no_look_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activities.detection.probes.gateways._WITHIN_SECONDS", 0.05)
    sees = _Sees({A: _UP, B: _DOWN, C: _UP}, {B: _BAD})
    sees.answers.clear()
    eye = _eye(sees)
    assert (await eye.look()).blind == "Azure has not answered yet"
    sees.answers.set()
    assert [one.subject for one in (await eye.look()).findings] == [B]
    assert sees.asked == 1


async def test_azure_is_asked_once_for_many_looks_and_an_answer_that_is_old_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sees = _Sees({A: _UP, B: _DOWN, C: _UP}, {B: _BAD})
    words = AzureWords(sees)  # type: ignore[arg-type]
    for _ in range(3):
        assert len((await _eye(sees, words, asks_azure_every="PT1M").look()).findings) == 1
    assert sees.asked == 1
    monkeypatch.setattr("activities.detection.probes.gateways._YOUNG_SECONDS", 0.0)
    eye = _eye(sees, words)
    assert len((await eye.look()).findings) == 1
    sees.answers.clear()
    async with asyncio.timeout(stretched(10)):
        while not (look := await eye.look()).blind:
            await asyncio.sleep(0.01)
    assert (look.findings, look.blind) == ((), "Azure has told nothing for 0 s")
    sees.answers.set()


async def test_azure_s_wish_to_be_asked_later_is_kept() -> None:
    sees = _Sees({A: _UP})
    sees.error = BusyError("429", after=timedelta(minutes=5))
    eye = _eye(sees)
    assert "429" in (await eye.look()).blind
    for _ in range(20):
        await eye.look()
        await asyncio.sleep(0.01)
    assert sees.asked == 1
