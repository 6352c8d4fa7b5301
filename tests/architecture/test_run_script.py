"""``./run test``: all tests run in turn, and nobody's failure is lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[2]
_PROGRAM = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>calls
case "$(basename "$0") $*" in
  "pytest tests/ui tests/lab"*) exit "$LAB" ;;
  "pytest "*) exit "$OTHERS" ;;
  "mypy "*) exit "$MYPY" ;;
  "failover lab build") exit "$BUILD" ;;
esac
"""


def _run(folder: Path, *, lab: int = 0, others: int = 0, mypy: int = 0, build: int = 0) -> tuple[int, list[str]]:
    """Do what ``./run test`` does, with programs that end as they are told; return its exit code and which tests ran."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("failover", "pytest", "ruff", "mypy", "lint-imports"):
        (programs / name).write_text(_PROGRAM, encoding="utf-8")
        (programs / name).chmod(0o755)
    functions = 'eval "$(sed -n "/^checks()/,/^}/p;/^everything()/,/^}/p" "$0")"'
    told = {"LAB": str(lab), "OTHERS": str(others), "MYPY": str(mypy), "BUILD": str(build), "PATH": "/usr/bin:/bin"}
    script = f"set -euo pipefail; {functions}; everything || exit $?"
    ended = subprocess.run(
        ["bash", "-c", script, str(_CHECKOUT / "run")],
        cwd=folder, env=told, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    calls = (folder / "calls").read_text(encoding="utf-8").splitlines()
    return ended.returncode, [
        "lab" if one.startswith("pytest tests/ui tests/lab ") else "others" for one in calls if one[:6] == "pytest"
    ]


@pytest.mark.parametrize(("lab", "others", "code"), [(0, 0, 0), (3, 0, 3), (0, 1, 1), (3, 1, 3)])
def test_both_run_and_a_failure_of_either_is_the_script_s(tmp_path: Path, lab: int, others: int, code: int) -> None:
    assert _run(tmp_path, lab=lab, others=others) == (code, ["others", "lab"])


def test_without_the_lab_s_programs_the_others_run_all_the_same_and_it_fails(tmp_path: Path) -> None:
    assert _run(tmp_path, build=1) == (1, ["others"])


def test_what_the_checks_find_ends_it(tmp_path: Path) -> None:
    assert _run(tmp_path, mypy=1) == (1, [])
