"""The two files of ``init``: the estate and the answers. Each appears at once and complete, or not at all."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

_HEAD = "# Answers of failover init; a second run does not ask again. Remove a line to be asked once more.\n"


class FileError(Exception):
    """A file cannot be read or written; one sentence with the remedy."""


def answers_in(path: Path, *, needed: bool) -> dict[str, str]:
    """Return key → answer as a person would type it. FileError: it is missing though ``needed``, or is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if needed:
            raise FileError(f"answers: {path} does not exist; correct the path, or leave --answers out") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"answers: {path} cannot be read: {_reason(error)}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FileError(f"answers: {path} is not valid YAML; write KEY: ANSWER in each line") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise FileError(f"answers: {path} is no list of answers; write KEY: ANSWER in each line")
    return {str(key): _typed(path, str(key), value) for key, value in content.items()}


def _typed(path: Path, key: str, value: object) -> str:
    if isinstance(value, bool):  # YAML reads yes as true
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, (str, int)) for one in value):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, (str, int)):
        return str(value)
    raise FileError(f"answers: {path}: {key}: a text, a number or a list of texts is needed")


def may_be_written(path: Path, *, force: bool) -> None:
    """Return if ``path`` may be made. FileError: it exists, or its directory takes no files."""
    if path.is_dir():
        raise FileError(f"out: {path} is a directory; name a file in it")
    if path.exists() and not force:
        raise FileError(f"out: {path} exists and is never overwritten; name another file with --out, or give --force")
    if not path.parent.is_dir():
        raise FileError(f"out: the directory {path.parent} does not exist; make it")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"out: the directory {path.parent} takes no files from you; name another one with --out")


def write_both(estate: tuple[Path, str], answers: tuple[Path, Mapping[str, str]], *, force: bool) -> None:
    """Write the answers, then the estate. FileError: one cannot be written, or the estate exists by now.

    The answers come first: if the process ends between the two, the next one asks less.
    """
    with _uninterrupted():
        path, given = answers
        body = yaml.safe_dump(dict(given), sort_keys=False, allow_unicode=True) if given else ""
        if dict(given) != answers_in(path, needed=False):  # else it stays as it is, with its comments
            _write(path, _HEAD + body, force=True)
        _write(*estate, force=force)


def _write(path: Path, text: str, *, force: bool) -> None:
    scratch = ""
    try:
        number, scratch = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(number)
        Path(scratch).chmod(0o644)
        if force:
            Path(scratch).replace(path)
        else:
            Path(path).hardlink_to(scratch)  # fails if it exists, unlike a rename
    except FileExistsError:
        raise FileError(f"out: {path} has been made meanwhile; it is left as it is") from None
    except OSError as error:
        raise FileError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        with suppress(OSError):
            Path(scratch).unlink() if scratch else None


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for the block: it takes milliseconds, and afterwards both files are there."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8 text"
