"""How long a wait for the lab may last on an idle and on a busy machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.lab import patience, processes
from deploy.lab.names import Lab, LabError


@pytest.mark.parametrize(("load", "expected"), [(0.1, 10), (2.0, 10), (6.0, 30), (400.0, 50)])
def test_a_wait_is_stretched_by_the_load_of_each_processor(
    monkeypatch: pytest.MonkeyPatch, load: float, expected: float
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert patience.stretched(10) == expected


def test_what_never_holds_ends_with_the_time_that_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "stretched", lambda seconds: seconds * 2)
    with pytest.raises(LabError, match="the moon did not happen within"):
        processes.wait_until("the moon", lambda: False, 0.1)
    assert processes.wait_until("now", lambda: True, 0) < 1


def test_a_process_that_has_ended_before_it_is_remembered_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILOVER_LAB_HOME", str(tmp_path))
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
        processes.remember(Lab("mine"), "brief", ended.pid)
    assert processes.pid_of(Lab("mine"), "brief") is None
