"""What one witness makes of a region: who answers it, and what it does not guess."""

from __future__ import annotations

import asyncio

import pytest

from activities.clients.ports import ForbiddenError, UnreachableError
from activities.detection import witness
from activities.detection.models import Condition, Look
from activities.detection.probes import gateways, regions
from activities.detection.probes.regions import RegionEye
from activities.traffic.models import Answer, HealthFact
from estate.base import Region
from estate.traffic import TrafficTarget
from tests.detection.region_samples import EDGE, SERVER, TARGET
from tests.traffic.samples import AWAY, HOME

_NONE = Answer(error="https://api.aiagent.example/health: no answer within 5 s")
_BAD = Answer(status=503, error="https://api.aiagent.example/health answers 503")


class _Sees:
    """The edge, the regions' health and the API servers, as one witness reaches them."""

    def __init__(self, edge: Answer, *, health: int = 200, silent: tuple[str, ...] = (), hangs: bool = False) -> None:
        self.edge, self.status, self.silent, self.hangs = edge, health, silent, hangs

    async def ask(self, target: TrafficTarget) -> Answer:  # noqa: ARG002
        if self.hangs:
            await asyncio.Event().wait()
        return self.edge

    async def health(self, target: TrafficTarget, region: str) -> HealthFact:  # noqa: ARG002
        told = f"answers {self.status}" if self.status else "refused"
        return HealthFact(region=region, healthy=self.status == 200, status=self.status, message=f"{region} {told}")

    async def version(self, region: Region) -> str:
        if region.context in self.silent:
            raise UnreachableError("the API server does not answer")
        if f"forbids {region.context}" in self.silent:
            raise ForbiddenError("no")
        return "v1.34.2"


async def _look(sees: _Sees) -> Look:
    return await RegionEye(sees, sees, TARGET).look()


_OURS, _BOTH = ("aiagent-aks",), ("aiagent-aks", "aiagent-aks-dr")


@pytest.mark.parametrize(
    ("sees", "found"),
    [
        (_Sees(Answer(region=HOME, status=200)), []),
        (_Sees(Answer(region=AWAY, status=200)), []),
        (_Sees(_BAD), [EDGE]),
        (_Sees(_NONE, health=0), [EDGE]),
        (_Sees(_NONE, health=503, silent=_OURS), [EDGE, SERVER]),
        (_Sees(_BAD, health=0, silent=("forbids aiagent-aks",)), [EDGE]),
        (_Sees(Answer(region=HOME, status=200), silent=_OURS), [SERVER]),
        (_Sees(Answer(region=AWAY, status=200), health=0, silent=_OURS), [SERVER]),
        (_Sees(_NONE, health=0, silent=_OURS), [EDGE, SERVER, HOME]),
        (_Sees(_BAD, health=0, silent=_OURS), [EDGE, SERVER, HOME]),
        (_Sees(_BAD, health=0, silent=_BOTH), [EDGE, SERVER, HOME]),
    ],
)
async def test_a_region_is_lost_when_customers_are_not_served_and_nothing_of_it_answers(
    sees: _Sees, found: list[str]
) -> None:
    look = await _look(sees)
    assert ([one.subject for one in look.findings], look.blind) == (found, "")


async def test_a_witness_that_nobody_answers_says_nothing() -> None:
    look = await _look(_Sees(_NONE, health=0, silent=_BOTH))
    assert look.findings == ()
    assert look.blind == f"nothing answers, {AWAY} included: it may be this witness that is cut off"


async def test_the_words_give_each_piece_of_evidence() -> None:
    lost = (await _look(_Sees(_BAD, health=0, silent=_OURS))).findings[-1]
    assert lost.condition is Condition.SILENT
    for words in ("answers 503", "its API server: the API server does not answer", f"{HOME} refused"):
        assert words in lost.words
    (server,) = (await _look(_Sees(Answer(region=AWAY, status=200), silent=_OURS))).findings
    assert f"customers are served from {AWAY}" in server.words


async def test_an_edge_that_hangs_is_no_answer_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.detection.probes.regions._WITHIN_SECONDS", 0.05)
    (found,) = (await _look(_Sees(_BAD, hangs=True))).findings
    assert (found.subject, "no answer within" in found.words) == (EDGE, True)


def test_a_look_takes_less_than_what_counts_as_a_frozen_witness() -> None:
    inner = witness._SLEPT_SECONDS
    assert inner > regions._WITHIN_SECONDS
    assert inner >= 2 * gateways._WITHIN_SECONDS
