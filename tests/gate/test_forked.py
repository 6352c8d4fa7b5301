"""A gate that is forked is the process that its command line starts."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from pathlib import Path

import pytest

from gate.api import Role
from tests.gate.harness import running_cluster

_NOT_ITS_OWN = 1 << 31 | 1 << 32 | 1 << signal.SIGQUIT - 1 | 1 << signal.SIGHUP - 1
"""Two are the C library's; a shell ignores the third one in what it runs in the background, ``nohup`` the last one."""


@pytest.mark.parametrize("forked", [True, False])
async def test_what_it_is_to_the_kernel_and_how_it_ends(settled: Path, *, forked: bool) -> None:
    async with running_cluster(settled, forked=forked) as pair:
        gate = pair.gates["pg-0"]
        _is_a_gate(gate.pid, settled)
        gate.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gate.wait, 60) == 0
        pair.start("pg-0")
        await pair.until_role("pg-0", Role.PRIMARY)
        pair.kill("pg-0")
        assert pair.gates["pg-0"].poll() == -signal.SIGKILL


def _is_a_gate(pid: int, folder: Path) -> None:
    """Look at what the kernel says of it."""
    entry, user = Path(f"/proc/{pid}"), pwd.getpwnam("postgres")
    status = dict(line.split(":\t", 1) for line in (entry / "status").read_text(encoding="utf-8").splitlines())
    assert status["Uid"].split() == [str(user.pw_uid)] * 4
    assert status["Gid"].split() == [str(user.pw_gid)] * 4
    assert set(status["Groups"].split()) == set(map(str, os.getgrouplist(user.pw_name, user.pw_gid)))
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Amb")} == {0}
    assert os.getsid(pid) == pid
    assert (entry / "status").stat().st_uid == user.pw_uid  # others of that user may look at it
    assert f"/{folder.name}/hosts /etc/hosts " in (entry / "mountinfo").read_text(encoding="utf-8")
    assert (entry / "cwd").readlink() == Path("/")
    signals = [int(status[name], 16) & ~_NOT_ITS_OWN for name in ("SigBlk", "SigIgn", "SigCgt")]
    assert signals == [0, _mask(signal.SIGPIPE, signal.SIGXFSZ), _mask(signal.SIGTERM, signal.SIGINT)]


def _mask(*numbers: signal.Signals) -> int:
    return sum(1 << number - 1 for number in numbers)
