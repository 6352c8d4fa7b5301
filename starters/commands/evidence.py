"""``failover evidence``: whether the records of drills are as they were sealed, what they tell, and what is missing.

All of it works without Temporal: on the estate's directory of records, or on a copy of it and a file of public keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from activities.clients.signatures import judge
from activities.run.evidence import MANIFEST, NAMESPACE, Record, digest, findings
from estate.signers import SigningKey
from starters.client.answers import Answer, Exit, Output, respond
from starters.client.kept_records import folder_of, known, listed_keys, public_keys, records_in
from starters.commands import arguments as arg
from starters.history.series import Line, lines_of
from starters.render.evidence import series_table


def verify_command(
    folder: arg.EvidenceFolder = None,
    *,
    keys: arg.PublicKeys = None,
    noted: arg.Noted = None,
    estate: arg.EstateFile = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Check that no byte of any record has changed.

    Files, manifests, signatures and the chain of all records. Exits with 0 when all are unchanged, with 1 and one line
    per finding when not. Works offline: needs the inventory, or DIR and --keys.
    """
    respond(output, verify(folder, keys, noted, estate))


def list_command(
    folder: arg.EvidenceFolder = None,
    *,
    keys: arg.PublicKeys = None,
    estate: arg.EstateFile = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """List drills with results, RTO, RPO and regressions.

    Each is compared with the one before it of the same kind and target: a regression took more than 20 % and 1 s longer,
    or lost more rows. Exits with 1 when a record has been changed.
    """
    respond(output, series(folder, keys, estate))


async def verify(folder: Path | None, keys: Path | None, noted: str | None, estate: Path | None) -> Answer:
    """Return every finding."""
    listed = known(estate) if folder is None or keys is None else None
    records = records_in(folder or folder_of(listed))
    return verified(records, public_keys(keys) if keys else listed_keys(listed), noted)


def verified(records: tuple[Record, ...], keys: tuple[SigningKey, ...], noted: str | None = None) -> Answer:
    """Return what is not as it was, as it is printed. ``noted``: the hash of a manifest that must be among them."""
    found = changed(records, keys)
    hashes = [digest(one.files.get(MANIFEST, b"")) for one in records]
    if noted and noted.lower() not in {one[: len(noted)] for one in hashes}:
        found = (*found, f"no record has a manifest with the hash {noted}: records are missing at the end")
    data = {"records": len(records), "findings": list(found), "last": {"name": records[-1].name, "sha256": hashes[-1]}}
    if found:
        return Answer(Exit.FAILED, data, Text("\n".join(found)), complaint=_complaint(found, records))
    last = f"the last one is {records[-1].name}, sha256 {hashes[-1]}"
    return Answer(Exit.DONE, data, Text(f"{len(records)} records are unchanged; {last}"))


def _complaint(found: tuple[str, ...], records: tuple[Record, ...]) -> str:
    return f"{len(found)} finding(s) in {len(records)} records: they are not as they were written"


def changed(records: tuple[Record, ...], keys: tuple[SigningKey, ...]) -> tuple[str, ...]:
    """Return all that is not as it was."""
    return findings(records, lambda text, signature, at: judge(text, signature, keys, at, NAMESPACE).why)


async def series(folder: Path | None, keys: Path | None, estate: Path | None) -> Answer:
    """Return the drills over time, and whether their records are as they were sealed.

    A folder without keys is listed all the same, and said to be unverified: an auditor may have only a copy of it.
    """
    listed = known(estate) if folder is None or (keys is None and estate is not None) else None
    records = records_in(folder or folder_of(listed))
    lines, unread = lines_of(records)
    counting = public_keys(keys) if keys else listed.drills.sealed_by if listed and listed.drills else ()
    wrong = changed(records, counting) if counting else ()
    told = [f"{name} cannot be read" for name in unread]
    if not counting:
        told.append("not verified: give --keys FILE of public keys, or --estate FILE")
    text: list[RenderableType] = [series_table(lines), *(Text(one) for one in (*told, *wrong))]
    data = {"drills": [shown(line) for line in lines], "unreadable": list(unread)}
    data |= {"verified": bool(counting) and not wrong, "findings": list(wrong)}
    if wrong:
        return Answer(Exit.FAILED, data, Group(*text), complaint=_complaint(wrong, records))
    return Answer(Exit.DONE, data, Group(*text))


def shown(line: Line) -> dict[str, Any]:
    """Return a drill as scripts read it."""
    record = line.record
    return {
        "began_at": record.began_at.isoformat(), "drill": record.drill, "kind": record.kind, "target": record.target,
        "result": line.result, "passed": record.passed, "confirmed_by": line.said_by, "rto_seconds": record.rto_seconds,
        "objective_seconds": record.objective_seconds, "objective_met": line.objective_met, "rpo_rows": record.rpo_rows,
        "regressions": list(line.regressions), "gaps": list(line.gaps), "record": line.name, "sha256": line.digest,
    }  # fmt: skip
