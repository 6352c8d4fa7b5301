"""``failover lab`` and two regions, without any: one keeper at a time, one sentence each, nothing left of a killed one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.lab import breaking, processes
from deploy.lab.commands import lab
from deploy.lab.memory import memory_of
from deploy.lab.names import Lab, LabError, LabUsageError
from deploy.lab.regions import commands, control, ending
from deploy.lab.regions.names import Regions
from deploy.lab.regions.signposts import signposts, view

_MINE = Regions("mine")
_CUSTOMERS = {
    "served_from": "westus2", "acknowledged": 7, "refused": 2, "missing": 1, "missing_seconds": 0.1,
    "longest_gap_seconds": 3.5,
}  # fmt: skip
_FACTS = {
    "parts": {"edge": True, "eastus node": True}, "customers": _CUSTOMERS, "leader": "aiagent-postgres-dr", "promotions": 1,
    "memory_bytes": 1500 * 1024**2, "environment": {"TEMPORAL_ADDRESS": "127.0.0.1:2"}, "ui": "http://127.0.0.1:3",
    "edge": "http://127.0.0.1:4",
}  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep labs apart from this machine's; be root; let nothing be installed."""
    monkeypatch.setenv("FAILOVER_LAB_HOME", str(tmp_path / "labs"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("deploy.lab.packages._CAPABILITIES", {})
    monkeypatch.setattr(commands, "ensure_packages", lambda _: None)
    return tmp_path


def _run(*args: str) -> Result:
    return CliRunner().invoke(lab, [*args, "--name", "mine"])


@contextmanager
def _sleeper(*program: str, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*(program or ("sleep",)), "600"], **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("break", "region"), "no two regions mine run here; start them with: failover lab up regions --name mine"),
        (("heal", "edge"), "no two regions mine run here"),
        (("heal", "nonsense"), "what: 'nonsense' is not one of region, api-server, edge; without it everything is healed"),
        (("up", "nonsense"), "what: 'nonsense' is neither platform nor regions"),
    ],
)
def test_what_was_typed_wrongly_is_one_sentence(home: Path, args: tuple[str, ...], words: str) -> None:
    result = _run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(home.iterdir()) == []


def test_a_fault_that_does_not_exist_lists_those_of_two_regions_too() -> None:
    processes.remember(Lab("mine"), "etcd", os.getpid())
    with pytest.raises(LabUsageError, match=r"known are primary, .* region, api-server, edge"):
        breaking.break_it(Lab("mine"), Path(), "nonsense", "")


def test_a_name_that_leaves_no_room_is_refused_and_a_lab_of_one_cluster_may_have_it() -> None:
    with pytest.raises(LabUsageError, match="at most 6 characters for two regions"):
        Regions("platform")
    assert commands.find("platform") is None
    assert CliRunner().invoke(lab, ["status", "--name", "platform"]).exit_code == 1


def test_a_keeper_that_was_killed_is_named_with_what_starts_and_what_removes() -> None:
    with _sleeper() as keeper:
        processes.remember(_MINE.keeper, "keeper", keeper.pid)
        assert commands.running("mine") == _MINE
    result = _run("status")
    assert result.exit_code == 1
    assert "was killed" in result.stderr
    assert "failover lab up regions --name mine starts new ones, failover lab down --name mine" in result.stderr


def _let_start(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> list[str]:
    """Let a keeper be a process that sleeps, and its answers be these facts; return the keepers that were started."""
    started: list[str] = []

    def spawn(one: Lab, name: str, command: list[str], environment: dict[str, str]) -> int:
        assert Path(environment["TMPDIR"]).is_relative_to(one.home)
        started.append(command[-1])
        (one.home / "control").touch()
        return processes.spawn(one, name, ["sleep", "600"])

    def ask(_home: Path, _say: object, _within: float = 0, **request: str) -> dict[str, Any]:
        asked.append(request["do"])
        return {"done": "everything runs"} if request["do"] == "heal" else _FACTS

    monkeypatch.setattr(commands, "spawn", spawn)
    monkeypatch.setattr(control, "ask", ask)
    return started


def test_up_twice_starts_one_keeper_and_the_second_starts_what_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    started = _let_start(monkeypatch, asked)
    try:
        first, second = (_run("up", "regions", "-o", "json") for _ in range(2))
        assert started == ["mine"]
        assert asked == ["await", "await", "heal", "await"]
        assert json.loads(first.stdout)["regions"] == json.loads(second.stdout)["regions"] == _FACTS
    finally:
        assert _run("down").exit_code == 0
    assert not any(one.home.exists() for one in _MINE.labs)
    assert not commands.runs(_MINE)


def test_two_that_start_them_at_the_same_time_start_one_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    started = _let_start(monkeypatch, [])
    both = [threading.Thread(target=commands.up, args=(_MINE, lambda _: None)) for _ in range(2)]
    try:
        for one in both:
            one.start()
        for one in both:
            one.join(60)
        assert started == ["mine"]
    finally:
        commands.down(_MINE, print)


def test_up_after_a_kill_sweeps_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started beside the keeper runs on: it is ended before anything is started."""
    started = _let_start(monkeypatch, [])
    with _sleeper() as keeper, _sleeper() as left:
        processes.remember(_MINE.keeper, "keeper", keeper.pid)
        keeper.kill()
        keeper.wait()
        processes.remember(_MINE.clusters[0], "etcd", left.pid)
        said: list[str] = []
        try:
            commands.up(_MINE, said.append)
            assert processes.start_time(left.pid) is None
        finally:
            commands.down(_MINE, print)
    assert started == ["mine"]
    assert "whose keeper was killed is removed" in said[0]


def test_a_keeper_that_ends_at_once_is_said_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "spawn", lambda one, name, *_: processes.spawn(one, name, ["false"]))
    with pytest.raises(LabError, match=r"has ended at once; see .*/minekeep/logs/keeper.log"):
        commands.up(_MINE, print)
    commands.down(_MINE, print)


def test_down_ends_the_databases_that_a_killed_keeper_has_left_and_no_shell_in_their_folder(home: Path) -> None:
    folder = _MINE.folder / "azure" / "server"
    folder.mkdir(parents=True)
    program = str(shutil.copy(shutil.which("sleep") or "", home / "postgres"))
    with _sleeper(program, cwd=folder) as database, _sleeper(cwd=folder) as shell, _sleeper(program, cwd=home) as other:
        commands.down(_MINE, print)
        assert database.wait(10) < 0
        assert (shell.poll(), other.poll()) == (None, None)
    assert not any(one.home.exists() for one in _MINE.labs)
    commands.down(_MINE, print)


def test_what_only_marks_a_lab_as_somebodys_is_no_remains() -> None:
    for one in _MINE.labs:
        one.home.mkdir(parents=True)
        (one.home / "tests").touch()
    assert not ending.has_remains(_MINE)
    assert commands.find("mine") is None


def test_status_shows_two_regions_alone_when_the_platform_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    _let_start(monkeypatch, [])
    with _sleeper() as keeper:
        processes.remember(_MINE.keeper, "keeper", keeper.pid)
        result, machine = _run("status"), _run("status", "-o", "json")
        assert (result.exit_code, machine.exit_code) == (0, 0)
        assert "eastus node            runs" in result.stdout
        assert "does not run" not in result.stdout
        assert json.loads(machine.stdout)["regions"] == _FACTS
        monkeypatch.setattr(commands, "status", lambda _: {**_FACTS, "parts": {"edge": False}})
        assert _run("status").exit_code == 1
        assert "edge                   DOES NOT RUN (failover lab heal --name mine" in _run("status").stdout


def test_what_is_shown_can_be_typed() -> None:
    shown = view(_MINE, _FACTS)
    assert "1 of them are missing, 2 refused; longest time without one 3.5 s" in shown
    assert "served from westus2" in shown
    assert "1500 MiB" in shown
    assert f". {_MINE.environment} && ./run failover start region-failover eastus" in shown
    assert "./run failover lab break region --name mine" in shown
    unserved = view(_MINE, {**_FACTS, "customers": {**_CUSTOMERS, "served_from": "", "missing": None}})
    assert "nobody is served" in unserved
    assert "nobody can see how many of them are missing" in unserved


def test_the_short_form_is_shown_where_run_finds_them() -> None:
    """``./run failover`` takes the environment of the lab of one cluster first."""
    alone = Regions("lab")
    assert "  ./run failover start region-failover" in signposts(alone, _FACTS)
    platform = Lab("lab").home / "environment"
    platform.parent.mkdir(parents=True)
    platform.touch()
    assert f". {alone.environment} && ./run failover start region-failover" in signposts(alone, _FACTS)


def test_memory_counts_all_that_descends() -> None:
    """A shell, which needs next to nothing itself, waits for a child that holds 60 MB."""
    holding = "import time; held = bytearray(b'x' * 60_000_000); time.sleep(600)"
    child = f'setpriv --pdeathsig=KILL {sys.executable} -c "{holding}"; true'
    with _sleeper("sh", "-c", child) as shell:
        processes.wait_until("its child", lambda: memory_of(shell.pid) > 60_000_000, 10)
    assert memory_of(shell.pid) == 0
