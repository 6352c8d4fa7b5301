"""A platform under other names, as somebody makes it without Helm: a copy of the base in which each name is edited."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from deploy.helm.base import BASE, REGION

SPACE = "shop-prod"
EXAMPLES = (
    "aiagent",
    "orders",
    "postgresql-primary",
    "postgresql-standby",
    "postgresql-members",
    "api-deployment",
    "mymaster",
    r"\bredis-\d",
    r"redis-sentinel-\d",
    "redis-members",
    r"failover-witness-\d",
    "failover-postgresql",
    "temporal-frontend",
    "REDIS_",
    *(
        rf"(?<!shop-){one}"
        for one in ("gate-token", "postgresql-passwords", "redis-password", "failover-signing", "failover-evidence")
    ),
)
_NAMES = {
    r"postgresql-primary": "pg-a",
    r"postgresql-standby": "pg-b",
    r"member: primary": "member: pg-a",
    r"member: standby": "member: pg-b",
    r"postgresql-members": "pg-members",
    r"aiagent-prod": SPACE,
    r"aiagent_prod": "shop",
    r"\borders\b": "ledger",
    r"api-deployment": "storefront",
    r"resourceNames: \[api\]": "resourceNames: [shop-front]",
    r"\[pg-a, api\]": "[pg-a, shop-front]",
    r"service: api ": "service: shop-front ",
    "mymaster": "shop-cache",
    r"(?m)redis-sentinel(-[\d*])": r"cache-eye\1",
    r"(?m)^  (name|serviceName): redis-sentinel$": r"  \1: cache-eye",
    r"redis-(\d)": r"cache-\1",
    r"(?m)^  name: redis$": "  name: cache",
    r"redis-members": "cache-members",
    r"REDIS_SENTINEL_": "CACHE_EYE_",
    r"REDIS_([\d$])": r"CACHE_\1",
    r"failover-witness(-\d)": r"shop-witness\1",
    r"(kind: StatefulSet[^\n]*\nmetadata:\n  name: )failover-witness": r"\1shop-witness",
    r"serviceName: failover-witness": "serviceName: shop-witness",
    r"failover-nodes": "failover-nodes-shop",
    r"failover-witness-nodes": "failover-witness-nodes-shop",
    r"(deletes-stateless-pods)": r"\1-shop",
    r"failover-region-eastus": "failover-region-westus2",
    r"secretName: (gate-token|postgresql-passwords|redis-password|failover-[a-z]+)": r"secretName: shop-\1",
    r"secretRef: \{name: failover-temporal": "secretRef: {name: shop-failover-temporal",
}
_REGION_CLUSTER_ROLE = re.compile(r"(kind: ClusterRole(?:Binding)?\nmetadata:\n  name: |kind: ClusterRole, name: )([-a-z]+)")
_ADDED = """
region_failovers:
  westus2: {to: eastus, databases: []}
  eastus: {to: westus2, databases: [], applications: [storefront]}
"""


def renamed(text: str) -> str:
    """Return a file of the base with all its names edited."""
    for old, new in _NAMES.items():
        text = re.sub(old, new, text)
    return text


def renamed_base(folder: Path) -> str:
    """Write the base, and a region's Roles, under other names into ``folder``; return the estate."""
    shutil.copytree(BASE, folder / "base")
    for path in (folder / "base").rglob("*"):
        if path.is_file():
            path.write_text(renamed(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name in ("surviving", "lost"):
        text = _REGION_CLUSTER_ROLE.sub(r"\1\2-shop", renamed((REGION / f"{name}.yaml").read_text(encoding="utf-8")))
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    estate = folder / "base" / "worker" / "estate.yaml"
    text = estate.read_text(encoding="utf-8")
    text = text.replace(
        "      token: file", '      address: "{member}.pg-members.{namespace}.svc.cluster.local"\n      token: file'
    )
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    estate.write_text(bare.replace("durability: available", "durability: strict") + _ADDED, encoding="utf-8")
    return estate.read_text(encoding="utf-8")


def edited(path: Path, **fields: object) -> None:
    """Write fields into a kustomization."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(document | fields), encoding="utf-8")
