"""What unit tests of a gate's parts are built from: settings, a member, a sample, and a log that is a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gate.api import Role, ServerFacts, ServerState
from gate.loop.situation import Sample
from gate.loop.state import State
from gate.settings import Settings
from tests.postgres.samples import A, B, C


def settings(folder: Path, **changes: Any) -> Settings:
    """Return the settings of member A of three, with an empty directory."""
    for name in ("pgdata/pg_wal", "gate"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "secret").write_text("secret", encoding="utf-8")
    files = ("token_file", "replication_password_file", "operator_password_file", "application_password_file")
    usual: dict[str, Any] = {
        "cluster": "orders", "member": A, "members": (A, B, C), "namespace": "prod", "service": "pg", "directory": folder,
        "standby_timeout": 60, "starved_after": 60, **dict.fromkeys(files, folder / "secret"),
    }  # fmt: skip
    return Settings(**{**usual, **changes})


def sample(facts: ServerFacts | None = None, **changes: Any) -> Sample:
    """Return a sample of member A, which runs as a standby of B and whose server says ``facts``."""
    facts = facts or ServerFacts(role=Role.STANDBY)
    usual: dict[str, Any] = {
        "member": A, "members": (A, B, C), "state": State(epoch=5), "server": ServerState.RUNNING, "role": facts.role,
        "empty": False, "standby_signal": True, "timeline": 3, "following": B,
    }  # fmt: skip
    return Sample(**{**usual, "facts": facts, **changes})


class Log(list[str]):
    """Keeps the messages."""

    def __call__(self, message: str, **_: object) -> None:
        self.append(message)
