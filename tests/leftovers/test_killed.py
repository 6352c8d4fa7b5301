"""A run of the tests leaves nothing behind: not when it is green, and not when it is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deploy.lab import processes
from deploy.lab.names import Lab
from tests.leftovers import keeper
from tests.leftovers.hanging import SAYS
from tests.leftovers.marks import MARK, MEMORY, OWNER_FILE, PREFIX, TEMPORARY, environment, mark_of
from tests.leftovers.sweeping import folders, labs, sweep
from tests.leftovers.sweeping import processes as marked

_CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def _run_of(test: str, says: Path) -> Iterator[subprocess.Popen[str]]:
    """Run one test of ``hanging`` as a run of its own, whose folder is made where this process looks for such folders."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    told["TMPDIR"] = str(TEMPORARY)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/leftovers/hanging.py::{test}"]
    process = subprocess.Popen(
        command, env={**told, SAYS: str(says)}, cwd=_CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(what: str, holds: Callable[[], object], seconds: float) -> None:
    processes.wait_until(what, lambda: bool(holds()), seconds)


def _namespace(pid: int) -> str:
    with suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/ipc").readlink())
    return ""


def _in_memory(pids: list[int]) -> set[str]:
    """Return the shared memory of PostgreSQL that lies outside its folders."""
    maps = "".join(_maps(pid) for pid in pids)
    return set(re.findall(rf"{MEMORY}/PostgreSQL\.\d+", maps))


def _maps(pid: int) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since it was listed, and holds nothing
        return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return ""


def test_a_run_that_is_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with _run_of("test_with_all_of_them", tmp_path / "says") as run:
        _until("all of them started", lambda: (tmp_path / "says").exists() or run.poll() is not None, 150)
        assert run.poll() is None, run.communicate()[0]
        mark, apart = mark_of(run.pid), _namespace(run.pid)
        mine = marked(lambda other: other == mark)
        words = "\n".join(mine.values())
        programs = (
            "-m gate",
            "gate.lease.watchdog",
            "postgres: ",
            "redis-server",
            "[sentinel]",
            "temporal server",
            "haproxy",
        )
        for part in programs:
            assert part in words
        assert len(folders(lambda other: other == mark)) == 2
        assert _in_memory(list(mine)) == set()
        assert {_namespace(pid) for pid in mine} == {apart} != {_namespace(os.getpid())}
        run.kill()
        began = time.monotonic()
        said = run.communicate(timeout=30)[0]  # the keeper, too, has ended when nobody holds the other end any more
        assert time.monotonic() - began < 10
    assert f"run {run.pid} has ended in the middle" in said
    assert not marked(lambda other: other == mark)
    assert not any(Path(f"/proc/{pid}/cwd").exists() for pid in mine)
    assert not folders(lambda other: other == mark)
    assert apart not in {_namespace(int(one.name)) for one in Path("/proc").iterdir() if one.name.isdigit()}


def test_what_a_green_run_has_left_is_ended_and_said(tmp_path: Path) -> None:
    with _run_of("test_that_leaves_one_behind", tmp_path / "says") as run:
        said = run.communicate(timeout=60)[0]
        assert run.returncode == 0
    found = re.search(r"left behind, now gone: process (\d+): sleep 600", said)
    assert found
    assert processes.start_time(int(found.group(1))) is None


def test_what_the_script_has_started_ends_with_it(tmp_path: Path) -> None:
    """``run`` itself is killed: what it waits for goes with it."""
    ready = tmp_path / "ready"
    script = f'eval "$(sed -n "/^watched()/,/^}}/p" run)"; watched; sleep 600 & echo $! >{ready}; wait'
    shell = subprocess.Popen(["bash", "-c", script], cwd=_CHECKOUT, stderr=subprocess.PIPE, text=True)
    _until("the shell waits", lambda: ready.exists() and ready.read_text(encoding="utf-8").strip(), 10)
    sleeper = int(ready.read_text(encoding="utf-8"))
    assert processes.start_time(sleeper) is not None
    shell.kill()
    assert f"process {sleeper}: sleep 600" in shell.communicate(timeout=60)[1]
    assert processes.start_time(sleeper) is None


def test_a_process_or_folder_of_somebody_else_is_left_alone() -> None:
    """A mark of another run, a name that only looks like one, and no mark at all."""
    others = [subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark}) for mark in ("1-2", "nobody", mark_of(1))]
    try:
        found = marked(lambda other: other == "4194304-7")
        assert not found
        assert [pid for pid in marked(lambda other: other == "1-2") if pid in {one.pid for one in others}] == [others[0].pid]
    finally:
        for one in others:
            one.kill()
            one.wait()
    assert (MEMORY / f"{PREFIX}4194304-7-x") not in folders(lambda _: False)


def test_a_lab_goes_with_the_run_that_has_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILOVER_LAB_HOME", str(tmp_path / "labs"))
    lab, kept = Lab("orphan"), Lab("kept")
    for one in (lab, kept):
        processes.spawn(one, "etcd", ["sleep", "600"])
    (lab.home / OWNER_FILE).write_text("4194304-7", encoding="utf-8")
    pids = [processes.pid_of(one, "etcd") for one in (lab, kept)]
    assert labs(lambda mark: mark == "4194304-7") == [lab]
    assert "lab orphan" in sweep(lambda mark: mark == "4194304-7")
    assert not lab.home.exists()
    assert [pid is not None and processes.start_time(pid) is not None for pid in pids] == [False, True]
    processes.end(kept, "etcd", force=True)


def test_what_starts_processes_with_an_environment_of_its_own_passes_the_mark_on() -> None:
    assert environment() == {MARK: os.environ[MARK]}


def test_what_has_a_keeper_is_left_to_it(tmp_path: Path) -> None:
    """A run that begins while another one's keeper still looks ends nothing of that one: the keeper has to tell of it."""
    gone = subprocess.Popen(["sleep", "600"])
    mark = mark_of(gone.pid)
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: mark})
    kept = keeper.start(mark)
    try:
        os.kill(kept.pid, signal.SIGSTOP)
        gone.kill()
        gone.wait()
        with _run_of("test_that_leaves_one_behind", tmp_path / "says") as run:
            said = run.communicate(timeout=60)[0]
        assert (run.returncode, left.poll(), keeper.has_one(mark)) == (0, None, True), said
        os.kill(kept.pid, signal.SIGCONT)
        assert (left.wait(60), kept.wait(60)) == (-signal.SIGKILL, 0)
        assert not keeper.has_one(mark)
    finally:
        for one in (gone, kept, left):
            one.kill()
            one.wait()


def test_the_keeper_hears_no_signal_of_the_run_s_group() -> None:
    kept = keeper.start(mark_of(os.getpid()))
    try:
        assert os.getsid(kept.pid) == kept.pid
    finally:
        kept.send_signal(signal.SIGKILL)
        kept.wait()
