"""A former primary that is to lead again on its directory as it is, while what another member wrote since is given up.

It must not go on under its old timeline's number, nor under the given-up one's: two histories under one number could
never be told apart again, by pg_rewind, by an archive or by a standby. PostgreSQL gives a promotion the number behind the
newest that the directory has a history file of, counted upwards from its own. So the given-up timelines' history files
are put into ``pg_wal`` first; recovery stays on the directory's own timeline (``recovery_target_timeline = current``), and
the promotion takes the number behind the given-up ones.

``State.reverting`` keeps the newest given-up number from the moment that the command is accepted. While no later history
file exists, the new timeline has not been begun: until then every start is one in recovery, after it never again.
"""

from __future__ import annotations

from pathlib import Path

from gate.loop.state import State, sync_folder, write_durably
from gate.postgres.controldata import IN_RECOVERY, ControlData, newest_timeline
from gate.settings import Settings

_SIGNAL = "standby.signal"


def is_pending(data: Path, state: State) -> bool:
    """Whether a revert was accepted whose timeline has not been begun."""
    return state.reverting is not None and newest_timeline(data) <= state.reverting


def was_cut_short(settings: Settings, control: ControlData | None) -> bool:
    """Whether a promotion here ended in the middle: PostgreSQL has taken its signal file away and has not begun to lead.

    Started as it is, it would lead on the timeline of the primary that it followed, and two histories would go on under one
    number. It has acknowledged nothing yet.
    """
    return control is not None and control.state in IN_RECOVERY and is_untouched(settings)


def is_untouched(settings: Settings) -> bool:
    """Whether the directory of a stopped server is as that server left it when it led last."""
    data = settings.data
    return (data / "PG_VERSION").exists() and not (data / _SIGNAL).exists() and not half_rewound(settings)


def occupy(data: Path, own: int, given_up: int, history: tuple[tuple[int, str], ...]) -> None:
    """Put a history file for every timeline behind ``own`` up to ``given_up`` where there is none, on disk at return."""
    for number in range(own + 1, given_up + 1):
        path = data / "pg_wal" / f"{number:08X}.history"
        if not path.exists():
            rows = [f"{parent}\t{lsn}\tgiven up\n" for parent, lsn in history if parent < number]
            write_durably(path, "".join(rows))
    sync_folder(data / "pg_wal")


def forget(data: Path, state: State) -> None:
    """Let a revert that was accepted and provably did nothing leave no trace that changes how the member comes back."""
    if state.reverting is not None:
        (data / _SIGNAL).unlink(missing_ok=True)
        sync_folder(data)


def half_rewound(settings: Settings) -> bool:
    """Whether a rewind of the directory was begun and did not come to its end: it may be no database any more."""
    return _mark(settings).exists()


def mark_rewind(settings: Settings) -> None:
    """Note, on disk, that the directory is being rewound."""
    _mark(settings).touch()
    sync_folder(settings.own)


def unmark_rewind(settings: Settings) -> None:
    """Note that the directory is whole."""
    _mark(settings).unlink(missing_ok=True)


def _mark(settings: Settings) -> Path:
    return settings.own / "rewinding"
