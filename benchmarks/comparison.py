"""The comparison as a table a person can read: one row a contestant and fault, all figures of all runs."""

from __future__ import annotations

from statistics import median
from typing import Any

_BUSY = 5
"""Load average above which a machine of two processors does more than this benchmark."""
_HEAD = "| fault | who | runs | outage, ms: min / median / max | times ours | rows acknowledged | lost | two writers |"


def as_table(results: dict[str, Any]) -> str:
    """Return the whole page."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    loads = [row["load_average"] for row in results["runs"]]
    machine = f"{results['machine']}, load average {min(loads):.1f} to {max(loads):.1f} (median {median(loads):.1f})"
    lines = ["# Beside Patroni", "", f"{results['made']}, {machine}. {versions}.", ""]
    if median(loads) > _BUSY:
        lines += ["**Others were working on this machine: the figures are provisional.**", ""]
    lines += [_HEAD, "|---" * 8 + "|"]
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in results["runs"]:
        cells.setdefault((row["fault"], row["contestant"]), []).append(row)
    for (fault, who), rows in sorted(cells.items(), key=lambda cell: _place(cell[0][0], results)):
        ours = {other: _median(found) for (of, other), found in cells.items() if of == fault and other.startswith("ours")}
        lines.append(f"| {fault} | {who} | {_figures(rows, ours if not who.startswith('ours') else {})} |")
    lines += ["", "How it was done", ""]
    lines += [f"- *{fault}*: {words}." for fault, words in results["faults"].items()]
    lines += [
        f"- *{who}*: {', '.join(f'{key} {value}' for key, value in one.items())}."
        for who, one in results["settings"].items()
    ]
    return "\n".join([*lines, *_NOTES, *_refusals(results["runs"]), *_failures(results["runs"])]) + "\n"


def _figures(rows: list[dict[str, Any]], ours: dict[str, float | None]) -> str:
    good = [row for row in rows if "failed" not in row]
    if not good:
        return f"0 of {len(rows)} | - | - | - | - | -"
    outages = [row["outage_seconds"] * 1000 for row in good]
    middle = median(outages)
    times = " / ".join(f"{middle / other:.1f}" for other in ours.values() if other)
    lost = "unknown" if any(row["lost"] is None for row in good) else str(sum(row["lost"] for row in good))
    runs = str(len(good)) if len(good) == len(rows) else f"{len(good)} of {len(rows)}"
    spread = f"{min(outages):.0f} / **{middle:.0f}** / {max(outages):.0f}"
    rest = f"{sum(row['rows'] for row in good)} | {lost} | {sum(len(row['two_writers']) for row in good)}"
    return f"{runs} | {spread} | {times or '-'} | {rest}"


def _median(rows: list[dict[str, Any]]) -> float | None:
    outages = [row["outage_seconds"] * 1000 for row in rows if "failed" not in row]
    return median(outages) if outages else None


def _place(fault: str, results: dict[str, Any]) -> tuple[int, str]:
    """Return where a fault stands: in the order of their explanations, variants after the plain one."""
    return next(number for number, known in enumerate(results["faults"]) if fault.startswith(known)), fault


def _refusals(runs: list[dict[str, Any]]) -> list[str]:
    refused = [row for row in runs if row.get("refused")]
    lines = [
        f"- {row['fault']}, {row['contestant']}: {len(row['refused'])} times, first {' '.join(row['refused'][0].split())}"
        for row in refused
    ]
    return ["", "Refused before it was accepted (part of the outage)", "", *lines] if lines else []


def _failures(runs: list[dict[str, Any]]) -> list[str]:
    failed = [f"- {row['fault']}, {row['contestant']}: {row['failed']}" for row in runs if "failed" in row]
    return ["", "Runs without a figure", "", *failed] if failed else []


_NOTES = (
    "- *ours, proved by its gate*: the forced failover is asked for at the moment of the fault, and again at once as long as"
    " it is refused (the primary lives, a witness does not answer); the policy asks nobody for approval. It promotes once"
    " the old primary's gate says that its server is stopped.",
    "- *ours, attested*: the same request carries a person's word that the old primary is, or is to be, stopped.",
    "- Both of ours are asked at the moment of the fault: the time until somebody asks is not in the figures.",
    "- *Patroni*: Kubernetes mode with the leader key in Endpoints, as its documentation recommends; two members on disks of"
    " their own; the write Service is the one of those Endpoints. It acts without being asked.",
    "- *times ours*: Patroni's median divided by ours; two figures: proved by its gate / attested.",
    "- *two writers*: a client of each server's own address commits at `synchronous_commit = local`; it does not see a pod"
    " that was made anew meanwhile, under another address.",
    "- *with a DNS server*: one of the cluster's two DNS servers ran on that node. Ours looks members up by name.",
    "- A container or pod that comes back may be the fastest way out: Patroni then goes on with the same primary.",
)
