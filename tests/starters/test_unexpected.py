"""What nobody expected is said too: a command never fails in silence."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BROKEN = """
from starters import main

@main.app.command("broken")
def broken() -> None:
    raise LookupError("one line\\nand another")

main.main()
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_error_is_one_line_and_with_debug_a_traceback(debug: str) -> None:
    command = [sys.executable, "-c", _BROKEN, "broken"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={"FAILOVER_DEBUG": debug})

    *before, last = ran.stderr.splitlines()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert last.startswith("failover: unexpected LookupError: one line and another (")
    assert ("Traceback" in "".join(before)) is bool(debug)
    assert bool(before) is bool(debug)
