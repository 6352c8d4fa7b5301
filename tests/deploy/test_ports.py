"""Ports are chosen before anybody listens there: by several processes at once, and several by one."""

from __future__ import annotations

import json
import subprocess
import sys

from deploy.lab.ports import free_port

_TEN = "import json; from deploy.lab.ports import free_port; print(json.dumps([free_port('127.0.0.1') for _ in range(10)]))"


def test_a_process_is_not_given_a_port_again_at_once() -> None:
    ports = [free_port("127.0.0.1", "127.0.0.11") for _ in range(100)]
    assert len(set(ports)) == 100


def test_processes_that_choose_at_once_choose_different_ports() -> None:
    processes = [subprocess.Popen([sys.executable, "-c", _TEN], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    chosen = [json.loads(one.communicate()[0]) for one in processes]
    assert len({port for ports in chosen for port in ports}) == 40
