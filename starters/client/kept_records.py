"""Where the records of drills are and which keys count, as typed: the estate's, or a folder and a file of public keys."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from activities.run.evidence import Record
from activities.run.evidence_files import FOLDER, read_all
from estate.base import EstateError
from estate.loader import load_estate
from estate.model import Estate
from estate.signers import SigningKey
from starters.client.answers import CommandError, Exit


def known(path: Path | None) -> Estate:
    """Return the estate. CommandError: none is named, or it cannot be used."""
    if path is None:
        raise CommandError(
            Exit.USAGE, "estate: missing; give --estate FILE (or FAILOVER_ESTATE), or DIR and --keys FILE of public keys"
        )
    try:
        return load_estate(path)
    except EstateError as error:
        raise CommandError(Exit.USAGE, str(error)) from error


def folder_of(estate: Estate | None) -> Path:
    """Return where its records of drills are. CommandError: it keeps none."""
    if estate is None or not estate.records:
        raise CommandError(Exit.USAGE, "dir: the estate names no records directory; add the key records, or give DIR")
    return Path(estate.records.removeprefix("file:")) / FOLDER


def listed_keys(estate: Estate | None) -> tuple[SigningKey, ...]:
    """Return the keys of workers. CommandError: it lists none."""
    if estate is None or estate.drills is None or not estate.drills.sealed_by:
        raise CommandError(Exit.USAGE, "keys: the estate lists none under drills.sealed_by; add them, or give --keys FILE")
    return estate.drills.sealed_by


def public_keys(path: Path) -> tuple[SigningKey, ...]:
    """Return the keys in a file, one per line. CommandError: it cannot be read, or one is none."""
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


def records_in(folder: Path) -> tuple[Record, ...]:
    """Return the records, oldest first. CommandError: there is none, or one cannot be read."""
    try:
        records = read_all(folder)
    except OSError as error:
        raise CommandError(Exit.USAGE, f"dir: {error.filename or folder} cannot be read: {error.strerror}") from error
    if not records:
        raise CommandError(Exit.USAGE, f"dir: {folder} holds no record of a drill; give the folder {FOLDER} of the records")
    return records
