"""``failover lab`` without a lab: each command answers with one sentence and starts nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from deploy.lab import binaries, breaking, cluster, processes
from deploy.lab.commands import lab
from deploy.lab.names import NODES, Lab, LabUsageError
from deploy.lab.packages import ensure_packages
from deploy.lab.signposts import signposts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep labs and programs apart from this machine's; be root; let nothing be started or built."""
    monkeypatch.setenv("FAILOVER_LAB_HOME", str(tmp_path / "labs"))
    monkeypatch.setenv("FAILOVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("deploy.lab.packages._CAPABILITIES", {})
    monkeypatch.setattr(cluster, "ensure_packages", _never)
    monkeypatch.setattr(binaries, "ensure_binaries", _never)
    return tmp_path


def _never(*_: Any) -> None:
    pytest.fail("something was installed, built or started")


def _run(*args: str) -> Result:
    return CliRunner().invoke(lab, args)


def _sentence(args: Sequence[str], code: int, words: str) -> None:
    """Expect one sentence in the terminal, and the same in one JSON document."""
    plain, machine = _run(*args), _run(*args, "--output", "json")
    assert (plain.exit_code, plain.stdout) == (code, ""), plain.output
    assert plain.stderr.startswith("lab: ")
    assert len(plain.stderr.splitlines()) == 1
    assert words in plain.stderr
    document = json.loads(machine.stdout)
    assert (machine.exit_code, document["exit_code"]) == (code, code)
    assert words in document["error"]


def _let_run(name: str) -> Lab:
    """Let a lab seem to run: one of its processes is this one; its programs are built."""
    one = Lab(name)
    processes.remember(one, "etcd", os.getpid())
    (binaries.cache() / f"bin-{binaries._key(binaries._MODULES)}").mkdir(parents=True)
    return one


@pytest.mark.parametrize("command", [("heal",), ("load",), ("break", "primary"), ("break", "node", "node-1")])
def test_a_lab_that_does_not_run_is_not_touched(home: Path, command: tuple[str, ...]) -> None:
    _sentence([*command, "--name", "nope"], 2, "no lab nope runs here; start it with: failover lab up --name nope")
    assert list(home.iterdir()) == []


def test_status_of_a_lab_that_does_not_run_names_the_command_that_starts_it() -> None:
    plain, machine = _run("status", "--name", "nope"), _run("status", "--name", "nope", "-o", "json")
    assert (plain.exit_code, machine.exit_code) == (1, 1)
    assert plain.stdout == "lab nope does not run; start it with: failover lab up --name nope\n"
    assert not any(json.loads(machine.stdout)["parts"].values())


@pytest.mark.parametrize("command", [("up",), ("status",), ("heal",), ("load",), ("break", "primary"), ("down",)])
def test_without_root_nothing_is_done(monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    _let_run("mine")
    monkeypatch.setattr(cluster, "ensure_packages", ensure_packages)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    _sentence([*command, "--name", "mine"], 1, "the lab needs root for network namespaces")


def test_a_root_that_may_not_make_namespaces_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.lab.packages._CAPABILITIES", {"CAP_IMAGINED": 63})
    _sentence(["down", "--name", "mine"], 1, "root lacks CAP_IMAGINED here")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["status", "--name", "Not A"], "name: 'Not A' must be"),
        (["up", "--image", "x"], "context: missing"),
        (["up", "--temporal", "x:1"], "context: missing"),
        (["break", "nonsense", "--name", "mine"], "what: 'nonsense' is not known"),
        (["break", "node", "--name", "mine"], "target: missing is no node; there is node-1"),
        (["break", "network", "nope", "--name", "mine"], "target: nope is no node; there is node-1"),
    ],
)
def test_what_was_typed_wrongly_is_usage(args: list[str], words: str) -> None:
    _let_run("mine")
    _sentence(args, 2, words)


@pytest.mark.parametrize(
    ("what", "name"), [("pod", "nope"), ("pod", ""), ("worker", "nope"), ("freeze", ""), ("container", "x")]
)
def test_a_pod_that_is_not_there_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:  # fmt: skip
    monkeypatch.setattr(breaking, "kubectl", lambda *_: "worker-a worker-b")
    with pytest.raises(LabUsageError, match="there is worker-a, worker-b"):
        breaking.break_it(Lab("mine"), Path(), what, name)


def test_a_context_that_kubectl_does_not_know_is_usage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "kubectl"
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:{os.environ['PATH']}")
    args = ["up", "--context", "nope", "--image", "x", "--temporal", "y:1"]
    _sentence(args, 2, "context: 'nope' is not in your kubeconfig")


def test_status_builds_nothing_where_the_programs_are_missing() -> None:
    processes.remember(Lab("mine"), "etcd", os.getpid())
    _sentence(["status", "--name", "mine"], 1, "`failover lab up` builds them")


def test_up_and_down_with_json_print_one_document_and_their_progress_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Lab("mine")
    one.home.mkdir(parents=True)
    (one.home / "ports.json").write_text('{"api": 1, "temporal": 2, "ui": 3, "http": 4}', encoding="utf-8")
    monkeypatch.setattr(cluster, "up", lambda _, say: say("  control plane"))
    monkeypatch.setattr(cluster, "down", lambda _, say: say("  processes ended"))
    up, down = _run("up", "--name", "mine", "-o", "json"), _run("down", "--name", "mine", "-o", "json")
    document = json.loads(up.stdout)
    assert (up.exit_code, document["ui"], "control plane" in up.stderr) == (0, "http://127.0.0.1:3", True)
    assert document["environment"]["TEMPORAL_ADDRESS"] == "127.0.0.1:2"
    assert (down.exit_code, json.loads(down.stdout)["done"], "processes" in down.stderr) == (0, "down", True)


@pytest.mark.parametrize(("name", "spoken_to"), [("lab", ""), ("shop", ". {home}/environment && ")])
def test_the_commands_that_a_lab_shows_speak_to_this_lab(name: str, spoken_to: str) -> None:
    one = Lab(name)
    one.home.mkdir(parents=True)
    (one.home / "ports.json").write_text('{"ui": 3}', encoding="utf-8")
    shown = signposts(one)
    for command in ("doctor", "history", "start postgres-failover"):
        assert f" {spoken_to.format(home=one.home)}./run failover {command}" in shown


def test_break_and_heal_with_json_print_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    _let_run("mine")
    monkeypatch.setattr(breaking, "set_link", lambda *_, **__: None)
    monkeypatch.setattr(breaking, "up", lambda _, say: say("  control plane"))
    monkeypatch.setattr(breaking, "ready_nodes", lambda *_: set(NODES))
    broken = _run("break", "network", "node-1", "--name", "mine", "-o", "json")
    healed = _run("heal", "--name", "mine", "-o", "json")
    assert json.loads(broken.stdout)["done"] == "pulled the cable of node-1"
    assert (json.loads(healed.stdout)["done"], "control plane" in healed.stderr) == ("healed", True)
