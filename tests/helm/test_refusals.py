"""What the chart refuses: each time before anything is sent, with the field and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.helm.__main__ import CHART
from tests.helm.helm import template

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1800)]  # builds Helm where it is missing


@pytest.mark.parametrize(("values", "said"), [
    ({"postgressql": {"enabled": True}}, "at '': additional properties 'postgressql' not allowed"),
    ({"worker": {"replica": 3}}, "at '/worker': additional properties 'replica' not allowed"),
    ({"worker": {"replicas": "three"}}, "at '/worker/replicas': got string, want integer"),
    ({"worker": {"replicas": 0}}, "at '/worker/replicas': minimum"),
    ({"temporal": {"address": None}}, "at '/temporal': missing property 'address'"),
    ({"temporal": {"address": "temporal.example.com"}}, "at '/temporal/address': 'temporal.example.com' does not match"),
    ({"temporal": {"tls": "yes"}}, "at '/temporal/tls': got string, want boolean"),
    ({"images": {"worker": {"digest": "sha256:12"}}}, "at '/images/worker/digest':"),
    ({"postgresql": {"storage": {"size": "100 GB"}}}, "at '/postgresql/storage/size': '100 GB' does not match"),
    ({"postgresql": {"resources": None}}, "at '/postgresql': missing property 'resources'"),
    ({"postgresql": {"gate": {"GATE_MEMBERS": "pg-a-0"}}}, "at '/postgresql/gate/GATE_MEMBERS':"),
    ({"worker": {"environment": {"FAILOVER_ESTATE": "/tmp/e"}}}, "at '/worker/environment/FAILOVER_ESTATE':"),
    ({"worker": {"environment": {"lower": "x"}}}, "at '/worker/environment': additional properties 'lower' not allowed"),
    ({"worker": {"secrets": {"token": "gate"}}}, "at '/worker/secrets/token':"),
    ({"workloadIdentity": {"worker": "failover"}}, "at '/workloadIdentity/worker': 'failover' does not match"),
    ({"observability": {"podMonitor": "v1"}}, "at '/observability/podMonitor':"),
    ({"secrets": {"signing": ""}}, "at '/secrets/signing':"),
    ({"clusterSuffix": "shop"}, "at '/clusterSuffix': 'shop' does not match"),
])  # fmt: skip
def test_values_that_do_not_fit_are_refused_with_the_field(values: dict[str, Any], said: str) -> None:
    done = template(**values)
    assert done.returncode != 0
    assert not done.stdout
    assert said in done.stderr


def _estate(**changes: Any) -> str:
    estate = yaml.safe_load((CHART / "files" / "estate.yaml").read_text(encoding="utf-8"))
    for path, value in changes.items():
        *above, last = path.split("__")
        where = estate
        for key in above:
            where = where[key]
        where[last] = value
    return str(yaml.safe_dump(estate))


_ORDERS = yaml.safe_load(_estate())["postgres"]["orders"]


@pytest.mark.parametrize(("changes", "values", "said"), [
    ({"regions__eastus__namespace": "shop"}, {}, 'regions: none of its regions has the namespace "aiagent-prod"'),
    ({}, {"region": "westus2"}, "estate: regions: westus2 has the namespace"),
    ({"regions__west": {"location": "West US", "namespace": "aiagent-prod"}}, {},
     "region: the estate has several regions with the namespace aiagent-prod: eastus, west"),
    ({"postgres__more": _ORDERS}, {}, "postgresql.cluster: the estate has several in region eastus: more, orders"),
    ({}, {"postgresql": {"cluster": "order"}},
     "postgresql.cluster: the estate has no postgres.order in region eastus; it has: orders"),
    ({"postgres": {}}, {}, "postgresql.enabled: the estate has no postgres in region eastus; set it to false"),
    ({"redis": {}}, {}, "redis.enabled: the estate has no redis in region eastus; set it to false"),
    ({"postgres__orders__members": ["pg-0", "pg-1"]}, {}, "estate: postgres.orders.members: pg-1 must end in -0"),
    ({"redis__mymaster__servers": ["redis-0", "redis-2"]}, {}, "estate: redis.mymaster.servers: redis-2 must be redis-1"),
    ({"witnesses": ["eye-1", "eye-2", "eye-3"]}, {}, "estate: witnesses: eye-1 must be eye-0"),
    ({"postgres__orders__gate": {"address": "{member}:8008"}}, {}, "estate: postgres.orders.gate.address:"),
])  # fmt: skip
def test_an_estate_that_does_not_fit_is_refused_with_the_field(
    changes: dict[str, Any], values: dict[str, Any], said: str
) -> None:
    done = template(estate=_estate(**changes), **values)
    assert done.returncode != 0
    assert not done.stdout
    assert said in done.stderr


def test_a_text_that_is_no_estate_is_refused() -> None:
    assert "estate: is not YAML" in template(estate="regions: [").stderr


def test_of_several_clusters_the_named_one_is_installed() -> None:
    both = _estate(postgres__more={**_ORDERS, "members": ["more-0"], "write_service": "more", "database": "other"})
    done = template(estate=both, postgresql={"cluster": "more"})
    assert 'GATE_MEMBERS: "more-0"' in done.stdout
    assert 'resourceNames: ["more","postgresql-primary"]' in done.stdout, "workers may touch both"
