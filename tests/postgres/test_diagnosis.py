"""What the witnesses amount to: an answer counts more than any silence, and silences differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from activities.postgres.diagnosis import diagnose
from activities.postgres.doctor import of_survey
from activities.postgres.models.survey import MemberFact, PodFact, SqlFact, Survey
from activities.run.models.diagnosis import Condition, Silence
from gate.api import GateStatus, Role, ServerState
from gate.record import Record
from tests.postgres import samples

A, B = "postgresql-primary-0", "postgresql-standby-0"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
RUNS = PodFact(name=A, phase="Running", ready=True, container="running")


def _gate(name: str, **changes: Any) -> GateStatus:
    usual: dict[str, Any] = {
        "member": name, "at": NOW, "epoch": 1, "server": ServerState.RUNNING, "doing": "goes on", "ready": True
    }  # fmt: skip
    return GateStatus.model_validate({**usual, **changes})


def _of(standby: GateStatus | None = None, **leader: Any) -> tuple[Condition, str]:
    facts = (MemberFact(name=A, **leader), MemberFact(name=B, gate=standby or _gate(B, role=Role.STANDBY)))
    diagnosis = diagnose(Survey(at=NOW, record=None, members=facts), A)
    assert len(diagnosis.evidence) == 4
    return Condition(diagnosis.condition), diagnosis.reason


_SILENT: dict[str, Any] = {"gate_silence": Silence.NO_CONNECTION, "sql_silence": Silence.NO_CONNECTION, "pod": RUNS}
_REFUSED: dict[str, Any] = {"gate_silence": Silence.REFUSED, "sql_silence": Silence.REFUSED, "pod": RUNS}
_HUNG: dict[str, Any] = {"gate_silence": Silence.NO_ANSWER, "sql_silence": Silence.NO_ANSWER, "pod": RUNS}
_ENDED = {**_SILENT, "pod": PodFact(name=A, phase="Running", ready=False, container="waiting: CrashLoopBackOff")}
_STARTS = _gate(A, server=ServerState.STARTING, silent_seconds=0.4)
_MUTE = _gate(A, server=ServerState.STARTING, silent_seconds=40.0)


@pytest.mark.parametrize(
    ("leader", "condition"),
    [
        ({"sql": SqlFact(in_recovery=False, system_identifier="1")}, Condition.ALIVE),
        ({"gate": _gate(A, role=Role.PRIMARY), "sql_silence": Silence.NO_CONNECTION}, Condition.ALIVE),
        (
            {
                "gate": _gate(A, role=Role.PRIMARY),
                "sql_error": "FATAL: remaining connection slots are reserved",
                "sql_silence": Silence.NO_ROOM,
            },
            Condition.BUSY,
        ),
        ({"gate_silence": Silence.NO_CONNECTION, "sql_silence": Silence.TURNED_AWAY}, Condition.ALIVE),
        ({"gate": _gate(A, server=ServerState.STOPPED)}, Condition.STOPPED),
        ({"gate": _gate(A, server=ServerState.STOPPING)}, Condition.STOPPED),
        ({"gate": _gate(A, role=Role.PRIMARY), "sql_silence": Silence.REFUSED}, Condition.STOPPED),
        ({"gate": _STARTS}, Condition.STARTING),
        ({"gate": _MUTE}, Condition.FROZEN),
        ({"gate": _gate(A, server=ServerState.STARTING, silent_seconds=0.1, frozen=True)}, Condition.FROZEN),
        (_REFUSED, Condition.DEAD),
        (_ENDED, Condition.DEAD),
        (_HUNG, Condition.FROZEN),
        (_SILENT, Condition.UNREACHABLE),
    ],
)
def test_each_way_to_be_gone_has_its_name(leader: dict[str, Any], condition: Condition) -> None:
    assert _of(**leader)[0] is condition


@pytest.mark.parametrize(("silent", "condition"), [(0.1, Condition.ALIVE), (2.0, Condition.UNREACHABLE)])
def test_a_primary_that_still_feeds_its_standby_is_alive(silent: float, condition: Condition) -> None:
    standby = _gate(B, role=Role.STANDBY, upstream=A, upstream_silent_seconds=silent)
    found, reason = _of(standby, **_SILENT)
    assert found is condition
    assert (B in reason) is (condition is Condition.ALIVE)


@pytest.mark.parametrize(("seconds", "faults"), [(30.0, 0), (60.0, 1), (None, 0)])
def test_doctor_compares_the_watchdogs_time_with_the_estates(seconds: float | None, faults: int) -> None:
    target = samples.target()
    forced = target.cluster.forced.model_copy(update={"proof": ("gate", "isolation")})
    target = target.model_copy(update={"cluster": target.cluster.model_copy(update={"forced": forced})})
    gate = _gate(A, role=Role.PRIMARY, disk_free_bytes=2**40, isolation_seconds=seconds)
    record = Record(leader=A, epoch=1, sync=B, selector=A)
    found = of_survey(target, Survey(at=NOW, record=record, members=(MemberFact(name=A, gate=gate, pod=RUNS),)))
    assert sum("watchdog" in one.message for one in found) == faults
