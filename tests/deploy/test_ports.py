"""Ports are chosen before anybody listens there: by several processes at once, and several by one."""

from __future__ import annotations

import json
import subprocess
import sys
from subprocess import PIPE

from deploy.lab.ports import free_port

_TEN = """
import json
from deploy.lab.ports import free_port
print(json.dumps([free_port("127.0.0.1") for _ in range(10)]), flush=True)
input()
"""


def test_a_process_is_not_given_a_port_again_at_once() -> None:
    ports = [free_port("127.0.0.1", "127.0.0.11") for _ in range(100)]
    assert len(set(ports)) == 100


def test_processes_that_choose_at_once_choose_different_ports() -> None:
    command = [sys.executable, "-c", _TEN]
    processes = [subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(8)]
    chosen = [json.loads(one.stdout.readline()) for one in processes if one.stdout]
    for one in processes:
        one.communicate("")
    assert len({port for ports in chosen for port in ports}) == 80
