"""PostgreSQL's programs as tests run them: as the postgres user, from where this machine has them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deploy.lab.packages import postgres_bin

_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
FILL_SEGMENT = """do $$ declare size bigint; target bigint; here bigint; begin
  size := (select setting::bigint from pg_settings where name = 'wal_segment_size');
  here := pg_current_wal_insert_lsn() - '0/0';
  target := (here / size + 1) * size - {distance};
  loop
    here := pg_current_wal_insert_lsn() - '0/0';
    exit when target - here < 120;
    perform pg_logical_emit_message(false, 'fill', repeat('x', greatest(least(target - here - 120, 60000)::int, 1)));
  end loop;
end $$"""
"""Writes WAL until the next record begins about ``distance`` bytes before its segment ends. Longer messages would run past
that: each page that they enter has a header."""


def command(program: str, *arguments: object) -> list[str]:
    """Return the command that runs ``program``."""
    found = postgres_bin()
    assert found
    return [*_AS_POSTGRES, str(Path(found) / program), *map(str, arguments)]


def run(program: str, *arguments: object, fed: str = "") -> str:
    """Run ``program`` to its end, which must be a good one; return what it printed."""
    done = subprocess.run(
        command(program, *arguments), check=True, capture_output=True, text=True, input=fed, cwd="/",
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.stdout
