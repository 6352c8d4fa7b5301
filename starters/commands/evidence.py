"""``failover evidence``: whether the records of drills are as they were sealed, what they tell, and what is missing.

All of it works without Temporal: on the estate's directory of records, or on a copy of it and a file of public keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.text import Text

from activities.clients.signatures import judge
from activities.run.evidence import MANIFEST, NAMESPACE, Record, digest, findings
from activities.run.evidence_files import FOLDER, read_all
from estate.loader import EstateError, load_estate
from estate.model import Estate
from estate.signers import SigningKey
from starters.client.answers import Answer, CommandError, Exit, Output, respond
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
    folder: arg.EvidenceFolder = None, *, estate: arg.EstateFile = None, output: arg.OutputOption = Output.TEXT
) -> None:
    """List drills with results, RTO, RPO and regressions.

    Each is compared with the one before it of the same kind and target: a regression took more than 20 % and 1 s longer,
    or lost more rows.
    """
    respond(output, series(folder, estate))


async def verify(folder: Path | None, keys: Path | None, noted: str | None, estate: Path | None) -> Answer:
    """Return every finding."""
    known = _known(estate) if folder is None or keys is None else None
    records = _records(folder or _folder(known))
    return verified(records, _public(keys) if keys else _listed(known), noted)


def verified(records: tuple[Record, ...], keys: tuple[SigningKey, ...], noted: str | None = None) -> Answer:
    """Return what is not as it was, as it is printed. ``noted``: the hash of a manifest that must be among them."""
    found = findings(records, lambda text, signature, at: judge(text, signature, keys, at, NAMESPACE).why)
    hashes = [digest(one.files.get(MANIFEST, b"")) for one in records]
    if noted and not noted.lower() in {one[: len(noted)] for one in hashes}:
        found = (*found, f"no record has a manifest with the hash {noted}: records are missing at the end")
    data = {"records": len(records), "findings": list(found), "last": {"name": records[-1].name, "sha256": hashes[-1]}}
    if found:
        why = f"{len(found)} finding(s) in {len(records)} records: they are not as they were written"
        return Answer(Exit.FAILED, data, Text("\n".join(found)), complaint=why)
    last = f"the last one is {records[-1].name}, sha256 {hashes[-1]}"
    return Answer(Exit.DONE, data, Text(f"{len(records)} records are unchanged; {last}"))


async def series(folder: Path | None, estate: Path | None) -> Answer:
    """Return the drills over time."""
    lines, unread = lines_of(_records(folder or _folder(_known(estate))))
    text: list[RenderableType] = [series_table(lines), *(Text(f"{name} cannot be read") for name in unread)]
    data = {"drills": [_shown(line) for line in lines], "unreadable": list(unread)}
    return Answer(Exit.DONE, data, Group(*text))


def _shown(line: Line) -> dict[str, Any]:
    record = line.record
    return {
        "began_at": record.began_at.isoformat(), "drill": record.drill, "kind": record.kind, "target": record.target,
        "result": line.result, "passed": record.passed, "confirmed_by": line.said_by, "rto_seconds": record.rto_seconds,
        "objective_seconds": record.objective_seconds, "objective_met": line.objective_met, "rpo_rows": record.rpo_rows,
        "regressions": list(line.regressions), "gaps": list(line.gaps), "record": line.name, "sha256": line.digest,
    }  # fmt: skip


def _known(path: Path | None) -> Estate:
    if path is None:
        raise CommandError(
            Exit.USAGE, "estate: missing; give --estate FILE (or FAILOVER_ESTATE), or DIR and --keys FILE of public keys"
        )
    try:
        return load_estate(path)
    except EstateError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def _folder(estate: Estate | None) -> Path:
    if estate is None or not estate.records:
        raise CommandError(Exit.USAGE, "dir: the estate names no records directory; add the key records, or give DIR")
    return Path(estate.records.removeprefix("file:")) / FOLDER


def _listed(estate: Estate | None) -> tuple[SigningKey, ...]:
    if estate is None or estate.drills is None or not estate.drills.sealed_by:
        raise CommandError(Exit.USAGE, "keys: the estate lists none under drills.sealed_by; add them, or give --keys FILE")
    return estate.drills.sealed_by


def _records(folder: Path) -> tuple[Record, ...]:
    try:
        records = read_all(folder)
    except OSError as error:
        raise CommandError(Exit.USAGE, f"dir: {error.filename or folder} cannot be read: {error.strerror}") from error
    if not records:
        raise CommandError(Exit.USAGE, f"dir: {folder} holds no record of a drill; give the folder {FOLDER} of the records")
    return records


def _public(path: Path) -> tuple[SigningKey, ...]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        keys = tuple(SigningKey(key=line) for line in lines if line and line[0] != "#")
    except OSError as error:
        raise CommandError(Exit.USAGE, f"keys: {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise CommandError(Exit.USAGE, f"keys: {path}: a line {why}") from error
    if not keys:
        raise CommandError(Exit.USAGE, f"keys: {path} holds no key; write one public key per line")
    return keys
