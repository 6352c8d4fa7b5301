"""``./run test``: the lab's tests run beside all others, and neither's failure is lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).resolve().parents[2]
_PROGRAM = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>calls
case "$(basename "$0") $*" in
  "pytest tests/lab"*)
    echo "the lab says"
    until [[ -e others-began || $MYPY != 0 ]]; do sleep 0.05; done  # beside, or for ever
    echo $$ >lab-pid
    if [[ $MYPY != 0 ]]; then exec sleep 600; fi
    exit "$LAB" ;;
  "pytest "*) touch others-began; until [[ -e lab-pid ]]; do sleep 0.05; done; echo "the others say"; exit "$OTHERS" ;;
  "mypy "*) if [[ $MYPY != 0 ]]; then until [[ -e lab-pid ]]; do sleep 0.05; done; fi; exit "$MYPY" ;;
  "failover lab build") exit "$BUILD" ;;
esac
"""


def _run(folder: Path, *, lab: int = 0, others: int = 0, mypy: int = 0, build: int = 0) -> subprocess.CompletedProcess[str]:
    """Run what ``./run test`` does, with programs that only end as they are told."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("failover", "pytest", "ruff", "mypy", "lint-imports"):
        (programs / name).write_text(_PROGRAM, encoding="utf-8")
        (programs / name).chmod(0o755)
    functions = 'eval "$(sed -n "/^checks()/,/^}/p;/^everything()/,/^}/p" "$0")"'
    told = {"LAB": str(lab), "OTHERS": str(others), "MYPY": str(mypy), "BUILD": str(build), "PATH": "/usr/bin:/bin"}
    script = f"set -euo pipefail; {functions}; everything || exit $?"
    return subprocess.run(
        ["bash", "-c", script, str(_CHECKOUT / "run")],
        cwd=folder, env=told, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("lab", "others", "code"), [(0, 0, 0), (3, 0, 3), (0, 1, 1), (3, 1, 1)])
def test_a_failure_of_either_is_the_script_s(tmp_path: Path, lab: int, others: int, code: int) -> None:
    ended = _run(tmp_path, lab=lab, others=others)
    assert ended.returncode == code, ended.stderr
    assert ended.stdout.splitlines()[-2:] == ["the others say", "the lab says"]


def test_without_the_lab_s_programs_the_others_run_all_the_same_and_it_fails(tmp_path: Path) -> None:
    (tmp_path / "lab-pid").touch()
    ended = _run(tmp_path, build=1)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "the others say")
    assert not any(call.startswith("pytest tests/lab") for call in _calls(tmp_path))


def test_what_the_checks_find_ends_the_lab_s_tests_at_once(tmp_path: Path) -> None:
    ended = _run(tmp_path, mypy=1)
    assert ended.returncode == 1
    assert [call.split()[1] for call in _calls(tmp_path) if call.startswith("pytest")] == ["tests/lab"]
    assert not Path(f"/proc/{(tmp_path / 'lab-pid').read_text(encoding='utf-8').strip()}").exists()


def _calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").splitlines()
