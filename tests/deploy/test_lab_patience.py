"""How long a wait for the lab may last on an idle and on a busy machine."""

from __future__ import annotations

import os

import pytest

from deploy.lab import patience, processes
from deploy.lab.names import LabError


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
