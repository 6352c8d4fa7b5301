"""What a gate writes for a server of a later version, and lets the operator's role do there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.postgres.bootstrap import product_grants
from gate.postgres.configuration import write_configuration
from tests.gate.parts import settings


@pytest.mark.parametrize(("version", "reserved"), [("15", 0), ("16", 1), ("18", 1)])
def test_connection_slots_are_kept_back_where_the_server_can(tmp_path: Path, version: str, reserved: int) -> None:
    given = settings(tmp_path, extra_config=tmp_path / "extra.conf")
    (given.data / "PG_VERSION").write_text(f"{version}\n", encoding="utf-8")
    lines = write_configuration(given, leader="", sync=()).read_text(encoding="utf-8").splitlines()
    assert lines.count("reserved_connections = 3") == reserved
    assert lines[reserved].startswith("include_if_exists"), "the extra configuration may say otherwise"
    granted = " ".join(statement.as_string(None) for statement in product_grants(given, int(version) * 10_000 + 4))
    assert granted.count('"pg_use_reserved_connections"') == reserved


def test_messages_are_in_the_language_that_we_read(tmp_path: Path) -> None:
    given = settings(tmp_path)
    auto = given.data / "postgresql.auto.conf"
    auto.write_text("lc_messages = 'de_DE.UTF-8'\nwork_mem = '8MB'\n", encoding="utf-8")
    lines = write_configuration(given, leader="", sync=()).read_text(encoding="utf-8").splitlines()
    assert "lc_messages = 'C'" in lines
    assert auto.read_text(encoding="utf-8") == "work_mem = '8MB'\n"


def test_a_directory_that_is_not_there_yet_is_of_no_version(tmp_path: Path) -> None:
    assert "reserved" not in write_configuration(settings(tmp_path), leader="", sync=()).read_text(encoding="utf-8")
