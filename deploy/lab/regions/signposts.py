"""What to look at and what to type once two regions run, and how ``status`` shows them."""

from __future__ import annotations

from typing import Any

from deploy.lab.names import Lab
from deploy.lab.regions.names import Regions

_MIB = 1024 * 1024
_ASK = '--by omar --reason "a drill"'
_APPROVERS = ("mona", "dana", "carl")


def signposts(regions: Regions, facts: dict[str, Any]) -> str:
    """Return the lines to print: with the environment's file wherever ``./run failover`` would not find it."""
    alone = not regions.option and not (Lab(regions.name).home / "environment").exists()
    speak = "./run failover" if alone else f". {regions.environment} && ./run failover"
    option = regions.option
    return f"""
  Temporal UI       {facts["ui"]}
  customers         {facts["edge"]}   ({_served(facts["customers"])})
  look around       {speak} plan region-failover eastus --mode forced · {speak} history
                    . {regions.environment} && $FAILOVER_KUBECTL --context aiagent-aks get pods -A   (and aiagent-aks-dr)
  break something   ./run failover lab break region{option} · break api-server{option} · break edge{option}
  leave the region  {speak} start region-failover eastus --to westus2 --mode forced --confirm "ACTIVATE DR" {_ASK}
                    then, each in a terminal: {speak} approve eastus --by NAME   ({", ".join(_APPROVERS)})
  let it return     ./run failover lab heal region{option}
  go back           {speak} start region-failback eastus --confirm "FAIL BACK" {_ASK}
  take them down    ./run failover lab down{option}
  memory            {facts["memory_bytes"] / _MIB:.0f} MiB, all processes together (PSS)"""


def view(regions: Regions, facts: dict[str, Any]) -> str:
    """Return what ``status`` prints."""
    missing = f"DOES NOT RUN (failover lab heal{regions.option} brings everything back)"
    lines = [f"  {part:<22} {'runs' if runs else missing}" for part, runs in facts["parts"].items()]
    customers = facts["customers"]
    lost = "nobody can see how many" if customers["missing"] is None else f"{customers['missing']}"
    taken = f"{customers['acknowledged']} workflows acknowledged, {lost} of them are missing, {customers['refused']} refused"
    lines += [
        f"  PostgreSQL: {facts['leader']} leads; Azure has promoted {facts['promotions']} times",
        f"  customers: {taken}; longest time without one {customers['longest_gap_seconds']:.1f} s",
        signposts(regions, facts),
    ]
    return "\n".join(lines)


def _served(customers: dict[str, Any]) -> str:
    return f"served from {customers['served_from']}" if customers["served_from"] else "nobody is served"
