"""Who is taken out and who comes back, decided from a survey alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.traffic.gateway_models import READY, BackendFact, Basis, Direct, GatewayFact, GatewaySurvey, Health
from tests.gateways.samples import target_of
from tests.gateways.world import ADDRESSES, DECLARED, ID, PROBE, A, B, C
from workflows.traffic.gateway_models import GatewayFailoverRequest
from workflows.traffic.gateway_planning import make_gateway_plan

_UP, _DOWN, _ALL = Health.UP, Health.DOWN, ADDRESSES
_GOOD, _BAD, _SILENT = Direct.GOOD, Direct.BAD, Direct.SILENT


def _survey(*backends: tuple[str, Health | None, Direct], **changes: Any) -> GatewaySurvey:
    """Return a survey of a gateway as declared; those of no health are out of the pool."""
    pool = tuple(address for address, health, _ in backends if health is not None)
    fact = GatewayFact(
        id=ID, state=READY, has_pool=True, has_settings=True, entries={one: {"ipAddress": one} for one in pool},
        basis=Basis(probe=dict(DECLARED), settings_probe=f"{ID}/probes/{PROBE}", pool=pool),
    )  # fmt: skip
    facts = tuple(BackendFact(address=one, health=health, direct=direct) for one, health, direct in backends)
    error = changes.pop("health_error", "")
    gateway = fact.model_copy(update=changes)
    return GatewaySurvey(at=datetime(2026, 11, 29, tzinfo=UTC), gateway=gateway, backends=facts, health_error=error)


def _plan(survey: GatewaySurvey, backend: str | None = None, **target: Any) -> Any:
    request = GatewayFailoverRequest(gateway="aiagent-appgw", backend=backend)
    return make_gateway_plan(request, target_of(**target), survey)


_DRIFT = {"basis": Basis(probe={**DECLARED, "path": "/x"}, settings_probe=f"{ID}/probes/{PROBE}", pool=_ALL)}


@pytest.mark.parametrize(
    ("backends", "changes", "out", "back", "goal"),
    [
        (((A, _UP, _GOOD), (B, _UP, _GOOD), (C, _UP, _GOOD)), {}, (), (), (A, B, C)),
        (((A, _UP, _GOOD), (B, _DOWN, _BAD), (C, _UP, _GOOD)), {}, (B,), (), (A, C)),
        (((A, _UP, _GOOD), (B, _DOWN, _SILENT), (C, _UP, _GOOD)), {}, (B,), (), (A, C)),
        (((A, _UP, _SILENT), (B, _DOWN, _SILENT), (C, Health.UNKNOWN, _SILENT)), {}, (B,), (), (A,)),
        (((A, _UP, _GOOD), (B, Health.DRAINING, _BAD), (C, _UP, _BAD)), {}, (), (), (A, C)),
        (((A, _UP, _GOOD), (C, _UP, _GOOD), (B, None, _GOOD)), {}, (), (B,), (A, C, B)),
        (((A, _UP, _GOOD), (C, _UP, _GOOD), (B, None, _SILENT)), {}, (), (), (A, C)),
        (((A, _DOWN, _BAD), (C, None, _GOOD), (B, None, _BAD)), {}, (A,), (C,), (C,)),
        (((A, _DOWN, _GOOD), (B, _DOWN, _SILENT), (C, _DOWN, _BAD)), _DRIFT, (C,), (), (A, B)),
        (((A, _DOWN, _SILENT), (B, _DOWN, _SILENT), (C, _DOWN, _BAD)), _DRIFT, (), (), (A, B)),
        (((A, _UP, _GOOD), (B, _UP, _GOOD), ("10.9.9.9", _DOWN, _BAD)), {}, (), (), None),
    ],
)
def test_who_goes_and_who_comes(
    backends: Any, changes: dict[str, Any], out: tuple[str, ...], back: tuple[str, ...], goal: tuple[str, ...] | None
) -> None:
    if goal is None:
        with pytest.raises(ApplicationError, match="nobody is taken out for that"):
            _plan(_survey(*backends, **changes))
        return
    plan = _plan(_survey(*backends, **changes))
    assert (plan.take_out, plan.put_back, plan.goal) == (out, back, goal)


@pytest.mark.parametrize(
    ("backends", "changes", "kind"),
    [
        (((A, _DOWN, _BAD), (B, _DOWN, _SILENT), (C, _DOWN, _BAD)), {}, "NotTheBackends"),
        (((A, _UP, _GOOD), (B, _DOWN, _BAD), (C, _DOWN, _BAD)), {"least": 2}, "TooFewBackends"),
        (((A, _UP, _GOOD), (B, _DOWN, _GOOD)), {}, "RecordDisagrees"),
        (((A, _UP, _GOOD),), {"error": "503"}, "Unreachable"),
        (((A, _UP, _GOOD),), {"health_error": "503"}, "Unreachable"),
        (((A, _UP, _GOOD),), {"state": "Updating"}, "Busy"),
        (((A, _UP, _GOOD),), {"state": ""}, "Busy"),
        (((A, _UP, _GOOD),), {"has_pool": False}, "NotWhole"),
        (((A, _UP, _GOOD),), {"has_settings": False}, "NotWhole"),
        (((A, None, _GOOD),), {"basis": Basis(pool=(A,))}, "NotWhole"),
    ],
)
def test_what_is_refused(backends: Any, changes: dict[str, Any], kind: str) -> None:
    least = {"least": changes.pop("least")} if "least" in changes else {}
    with pytest.raises(ApplicationError) as caught:
        _plan(_survey(*backends, **changes), **least)
    assert caught.value.type == kind


def test_drifting_words_do_not_void_an_approval() -> None:
    backends = ((A, _UP, _GOOD), (B, _DOWN, _BAD), (C, _UP, _GOOD))
    seen = _survey(*backends)
    later = seen.model_copy(update={"backends": tuple(one.model_copy(update={"log": "x"}) for one in seen.backends)})
    assert _plan(seen).digest == _plan(later).digest
    assert _plan(seen).digest != _plan(_survey((A, _DOWN, _BAD), *backends[1:])).digest


def test_one_backend_only() -> None:
    seen = _survey((A, _UP, _GOOD), (B, _DOWN, _BAD), (C, _DOWN, _BAD))
    assert (_plan(seen, C).take_out, _plan(seen, C).only) == ((C,), C)
    with pytest.raises(ApplicationError, match=r"10\.9\.9\.9 is no backend"):
        _plan(seen, "10.9.9.9")
