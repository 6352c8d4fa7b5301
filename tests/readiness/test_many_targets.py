"""An estate of many targets, of every kind: one worker, real Temporal, clients that refuse to write.

The figure of 200 targets: ``python -m tests.readiness.figure``; what runs with every change has 40.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from temporalio.client import Client

from deploy.lab.patience import stretched
from tests.readiness.calm import WriteRefusedError
from tests.readiness.estate import A_UNIT, CASES_OF_A_UNIT
from tests.readiness.figure import calm_of, one_pass

_TARGETS = 40


async def test_one_pass_checks_everything_and_writes_nothing(temporal: Client, tmp_path: Path) -> None:
    status, calm = await one_pass(temporal, tmp_path, _TARGETS)
    units = _TARGETS // A_UNIT
    assert Counter(one.target.partition("/")[0] for one in status.checks) == {
        "postgres": 16 * units, "redis": 6 * units, "pods": 3 * units, "node": 4 * units, "flexible": 2 * units,
        "gateway": units, "traffic": 2 * units, "region": 2 * units,
    }  # fmt: skip
    not_ready = [one for one in status.checks if one.readiness.value != "ready"]
    assert not_ready == []
    assert status.counts["ready"] == CASES_OF_A_UNIT * units
    assert calm.refused == []
    assert calm.postgres.changed == []
    assert status.took_seconds < stretched(60)


async def test_who_may_only_look_is_refused_when_it_writes(tmp_path: Path) -> None:
    calm = calm_of(tmp_path, A_UNIT)
    with pytest.raises(WriteRefusedError):
        await calm.clients.systems.gates.promote(None, "", None)  # type: ignore[arg-type]
    assert calm.refused == ["gates.promote"]
