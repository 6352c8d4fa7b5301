"""The contract suite against the real API server, gates and PostgreSQL, from inside the lab's network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.lab.names import DNS_ADDRESS
from deploy.lab.network import in_hub
from deploy.lab.workload import secret_of
from estate.loader import load_estate
from estate.resolving import resolve_target
from tests.contract.conftest import EXAMPLE
from tests.lab.platform import Platform

pytestmark = pytest.mark.lab
_CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_real_systems_keep_the_contract_that_the_fakes_keep(platform: Platform) -> None:
    target = resolve_target(load_estate(EXAMPLE), "orders")
    gate = target.cluster.gate.model_copy(update={"token": "env:CONTRACT_TOKEN"})
    login = target.cluster.login.model_copy(update={"password": "env:CONTRACT_PASSWORD"})
    target = target.model_copy(
        update={
            "cluster": target.cluster.model_copy(update={"gate": gate, "login": login}),
            "region": target.region.model_copy(update={"context": "failover-lab"}),
        }
    )
    resolver = platform.lab.home / "contract-resolv.conf"
    resolver.write_text(f"nameserver {DNS_ADDRESS}\n", encoding="utf-8")
    script = (
        f"mount --bind {resolver} /etc/resolv.conf && exec {sys.executable} -m pytest tests/contract -q -p no:cacheprovider"
    )
    done = subprocess.run(
        in_hub(platform.lab, "unshare", "--mount", "--propagation", "private", "sh", "-c", script),
        env={
            **os.environ,
            "FAILOVER_CONTRACT": target.model_dump_json(),
            "CONTRACT_TOKEN": secret_of(platform.lab, "gate-token", "token"),
            "CONTRACT_PASSWORD": secret_of(platform.lab, "postgresql-passwords", "operator"),
            "KUBECONFIG": str(platform.lab.pki / "admin.kubeconfig"),
        },
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-6000:])
    assert done.returncode == 0
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
