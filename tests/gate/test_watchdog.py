"""When a server is killed or held: by its lease, and by how long the watchdog itself has slept."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.lease import watchdog
from gate.lease.lease import Lease, now
from gate.lease.watchdog import Watchdog

POSTMASTER = 4711


class Watching:
    """A watchdog whose lease lasts ten seconds, and what it does to processes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lease, self.signal_file, self.done = Lease.make(), folder / "standby.signal", list[str]()
        self.lease.postmaster = POSTMASTER
        self.watchdog = Watchdog(self.lease, 10, str(self.signal_file))
        monkeypatch.setattr(watchdog, "kill_all", lambda pid: self.done.append(f"kill {pid}"))
        monkeypatch.setattr(watchdog, "signal_all", lambda pid, number: self.done.append(f"{number.name} {pid}"))

    def look(self, slept: float = 0.05) -> list[str]:
        self.done.clear()
        self.watchdog.look(slept)
        return self.done

    def expire(self) -> None:
        self.lease._view[0] = now() - 11


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watching:
    return Watching(tmp_path, monkeypatch)


def test_while_the_lease_lasts_nothing_is_done(one: Watching) -> None:
    assert one.look() == []


def test_when_it_has_run_out_the_server_is_killed(one: Watching, capsys: pytest.CaptureFixture[str]) -> None:
    one.expire()
    assert one.look() == [f"kill {POSTMASTER}"]
    assert one.look() == [f"kill {POSTMASTER}"]
    assert capsys.readouterr().out.count("ISOLATED") == 1


def test_after_a_freeze_it_is_held_until_somebody_has_vouched_since(one: Watching) -> None:
    assert one.look(slept=5) == [f"SIGSTOP {POSTMASTER}", f"SIGSTOP {POSTMASTER}"]
    assert one.look() == [f"SIGSTOP {POSTMASTER}"]
    one.lease.renew(now() + 1)
    assert one.look() == [f"SIGCONT {POSTMASTER}"]
    assert one.look() == []


def test_a_server_that_was_started_since_is_not_held(one: Watching) -> None:
    one.look(slept=5)
    one.lease.postmaster = POSTMASTER + 1
    assert one.look() == []


def test_a_standby_needs_no_lease(one: Watching) -> None:
    one.signal_file.touch()
    one.expire()
    assert one.look(slept=5) == []


def test_without_a_server_there_is_nothing_to_end(one: Watching) -> None:
    one.lease.postmaster = 0
    one.expire()
    assert one.look(slept=5) == []


def test_a_lease_never_counts_from_earlier_than_it_did() -> None:
    lease = Lease.make()
    renewed = lease.renewed_at
    lease.renew(renewed - 5)
    assert lease.renewed_at == renewed
