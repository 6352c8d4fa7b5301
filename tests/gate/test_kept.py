"""What is kept aside is listed whole and removed by its name, and nothing else ever is."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gate.loop import kept


def _settings(tmp_path: Path) -> Any:
    for name in ("wal-20261101T010203Z", "pgdata-20261102T010203Z"):
        (tmp_path / "kept" / name).mkdir(parents=True)
        (tmp_path / "kept" / name / "one").write_bytes(b"12345")
    (tmp_path / "kept" / "notes.txt").write_text("a person's", encoding="utf-8")
    (tmp_path / "state.json").write_text("{}", encoding="utf-8")
    return cast("Any", SimpleNamespace(own=tmp_path, data=tmp_path / "pgdata"))


def _remove(settings: Any, name: str) -> bool:
    there = kept.take_off(settings, name)
    kept._clear(settings)
    return there


def _names(settings: Any) -> list[str]:
    return sorted(item.name for item in kept.listed(settings))


def test_it_is_listed_with_its_size(tmp_path: Path) -> None:
    assert {(item.name, item.bytes) for item in kept.listed(_settings(tmp_path))} == {
        ("wal-20261101T010203Z", 5),
        ("pgdata-20261102T010203Z", 5),
    }


def test_a_removal_takes_one_thing_and_may_be_repeated(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    assert _remove(settings, "wal-20261101T010203Z")
    assert not _remove(settings, "wal-20261101T010203Z")
    assert _names(settings) == ["pgdata-20261102T010203Z"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../state.json", "notes.txt", "wal-20261101T010203Z/one", "wal-../../kept", "/etc", "pgdata-x/../.."],
)
def test_no_other_name_removes_anything(tmp_path: Path, name: str) -> None:
    settings = _settings(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert not _remove(settings, name)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_killed_gate_had_begun_to_remove_is_not_listed_and_goes_with_the_next(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    (tmp_path / "kept" / "wal-20261101T010203Z").rename(tmp_path / "kept" / "wal-20261101T010203Z.going")
    assert _names(settings) == ["pgdata-20261102T010203Z"]
    _remove(settings, "pgdata-20261102T010203Z")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["notes.txt"]


def test_what_cannot_be_deleted_keeps_nothing_else_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(tmp_path)
    for name in ("wal-20261101T010203Z", "pgdata-20261102T010203Z"):
        assert kept.take_off(settings, name)
    real = os.rmdir
    monkeypatch.setattr("os.rmdir", lambda path, **more: None if "wal-" in str(path) else real(path, **more))
    kept._clear(settings)
    assert _names(settings) == []
    assert not (tmp_path / "kept" / "pgdata-20261102T010203Z.going").exists()


def test_what_a_person_moved_there_is_listed_too(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    (tmp_path / "kept" / "by-hand").mkdir()
    assert "by-hand" in _names(settings)
    assert _remove(settings, "by-hand")


def test_nothing_kept_is_an_empty_list(tmp_path: Path) -> None:
    assert kept.listed(cast("Any", SimpleNamespace(own=tmp_path))) == ()
