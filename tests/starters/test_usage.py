"""What was typed wrongly is answered with one sentence: the field first, then the remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from starters.main import app
from tests.starters.command import Command

_COMMANDS = (
    "plan",
    "start",
    "follow",
    "status",
    "approve",
    "reject",
    "attest",
    "override-budget",
    "cancel",
    "hold",
    "release",
    "skip",
    "force",
    "pause",
    "adopt",
    "resume",
    "report",
    "history",
    "doctor",
    "init",
    "worker",
)
_NOBODY = "127.0.0.1:1"


def run(*args: str) -> Result:
    return CliRunner().invoke(app, args)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("start", "volcano-failover", "orders"), ("procedure:", "postgres-adopt or redis-failover")),
        (("start", "redis-failover", "Mymaster!"), ("target:", "estate")),
        (("start", "redis-failover", "mymaster", "--to", "redis-1"), ("to:", "Sentinel chooses")),
        (("start", "redis-failover", "mymaster", "--member", "x" * 300), ("member:", "shorten or correct it")),
        (("start", "redis-failover", "mymaster", "--max-bytes", "1"), ("max-bytes:", "postgres-rollback")),
        (("start", "redis-failover", "mymaster", "--mode", "fast"), ("mode:", "planned or forced")),
        (("start", "redis-failover", "mymaster", "--attest", "--by", "me"), ("attest:", "mode forced")),
        (("plan", "postgres-rollback", "orders", "--mode", "forced"), ("mode:", "lossless or discard")),
        (("plan", "postgres-rollback", "orders", "--mode", "discard", "--max-bytes", "1MiB"), ("max-", "needs both")),
        (("start", "postgres-rollback", "orders", "--mode", "discard", "--by", "omar"), ("max-", "needs both")),
        (("plan", "postgres-rollback", "orders", "--max-transactions", "1"), ("max-", "lossless loses nothing")),
        (("start", "postgres-rollback", "orders", "--to", "a-0"), ("to:", "who led before")),
        (("start", "postgres-failover", "orders", "--max-bytes", "1"), ("max-bytes:", "postgres-rollback")),
        (("plan", "postgres-failover", "orders", "--mode", "discard"), ("mode:", "planned or forced")),
        (
            ("plan", "postgres-rollback", "orders", "--mode", "discard", "--max-bytes", "much", "--max-transactions", "1"),
            ("max-bytes:", "correct it"),
        ),
        (("plan", "postgres-failover", "orders", "--mode", "fast"), ("mode:", "planned or forced")),
        (("start", "postgres-rejoin", "orders", "--mode", "planned"), ("mode:", "leave it out")),
        (("start", "postgres-rejoin", "orders", "--to", "a-0"), ("to:", "--member")),
        (("start", "postgres-failover", "orders", "--member", "a-0"), ("member:", "--to")),
        (("start", "postgres-failover", "Orders!"), ("target:", "estate")),
        (("start", "postgres-failover", "orders", "--reason", "x" * 1001), ("reason:", "shorten")),
        (("approve", "orders", "--plan", "ab"), ("by:", "--by NAME")),
        (("follow", "orders", "--timeout", "soon"), ("timeout: 'soon'", "--timeout 90s")),
        (("watch", "orders", "--timeout", "0s"), ("timeout: '0s'", "--timeout 90s")),
        (("start", "postgres-failover", "orders", "--timeout", "9s", "--no-follow"), ("timeout:", "--no-follow")),
        (("resume", "orders", "--by", "me", "--timeout", "x"), ("timeout: 'x'",)),
        (("insist", "Node!", "--by", "me"), ("target: 'Node!'", "node-2")),
        (("override-budget", "node-2"), ("by:", "--by NAME")),
        (("hold", "orders", "--reason", "x"), ("by:", "--by NAME")),
        (("hold", "orders", "--by", "me"), ("reason:", "--reason WHY")),
        (("skip", "orders", "ready", "--by", "me"), ("reason:", "--reason WHY")),
        (("force", "orders", "", "--by", "me", "--reason", "x"), ("step:", "failover status")),
        (("hold", "orders", "--by", "me", "--reason", "x" * 1001), ("reason:", "shorten")),
        (("report",), ("run:", "--file")),
        (("report", "orders", "--file", "x.json"), ("run:", "--file")),
        (("report", "--file", "/nowhere/history.json"), ("file:", "cannot be read")),
        (("doctor", "Orders!"), ("target:", "estate")),
    ],
)
def test_bad_input_names_field_and_remedy(args: tuple[str, ...], says: tuple[str, ...]) -> None:
    ran = run(*args)

    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1
    assert all(part in ran.stderr for part in says), ran.stderr


def test_bad_input_is_one_document_with_json() -> None:
    ran = run("start", "volcano-failover", "orders", "--output", "json")

    assert ran.exit_code == 2
    document = json.loads(ran.stdout)
    assert document["exit_code"] == 2
    assert document["error"].startswith("procedure:")


@pytest.mark.parametrize("args", [("plan",), ("follow", "--nonsense", "orders"), ("nonsense",), ("history", "--limit", "0")])
def test_unknown_options_and_missing_arguments_are_usage(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help(command: str) -> None:
    ran = run(command, "--help")

    assert ran.exit_code == 0
    assert "3 refused" in ran.stdout


def test_the_version_is_said() -> None:
    assert run("--version").stdout == f"failover {version('failover')}\n"


def test_a_shell_completes_commands_but_not_their_old_names() -> None:
    asked = {"_FAILOVER_COMPLETE": "complete_bash", "COMP_CWORD": "1", "PATH": os.environ["PATH"]}
    failover = Path(sys.executable).with_name("failover")
    found = {
        begun: subprocess.run([failover], capture_output=True, text=True, check=True, env={**asked, "COMP_WORDS": begun})
        for begun in ("failover det", "failover wat")
    }
    assert [ran.stdout.split() for ran in found.values()] == [["detection"], []]
    assert "--install-completion" in run("--help").stdout


def test_help_lists_every_command_and_the_exit_codes() -> None:
    ran = run("--help")

    assert all(f"\n  {command} " in ran.stdout for command in _COMMANDS)
    assert "5  the Temporal server does not answer" in ran.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("plan", "postgres-failover", "orders"),
        ("start", "postgres-failover", "orders"),
        ("follow", "orders"),
        ("status",),
        ("approve", "orders", "--by", "dana", "--plan", "ab"),
        ("cancel", "orders"),
        ("report", "orders"),
        ("history",),
        ("doctor",),
    ],
    ids=lambda args: args[0],
)
async def test_an_unreachable_server_is_one_sentence(args: tuple[str, ...]) -> None:
    failover = Command(_NOBODY)

    plain, machine = await failover(*args), await failover(*args, "--output", "json")

    assert (plain.code, machine.code) == (5, 5)
    assert plain.out == ""
    assert len(plain.err.splitlines()) == 1
    assert "TEMPORAL_ADDRESS" in machine.document["error"]
