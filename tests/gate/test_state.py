"""What a gate must not forget, on a disk that is full, and after a crash at any moment of a write."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate.loop import state
from gate.loop.state import State, Store


@pytest.fixture
def small(tmp_path: Path, _real_servers: None) -> Iterator[Path]:
    """Mount a small disk."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(place: Path) -> None:
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - how often it is written is not known


def test_a_full_disk_takes_every_promise(small: Path) -> None:
    store = Store(small / "gate")
    store.write(epoch=1)
    _fill(small)
    for epoch in range(2, 60):
        store.write(epoch=epoch, fenced_at=epoch if epoch % 2 else None, rejoin_behind="postgresql-standby-0" * (epoch % 3))
    with pytest.raises(OSError, match="No space left"):
        (small / "gate" / "more").write_text("x" * 4096)
    kept = (small / "gate" / "state.json").read_text(encoding="utf-8")
    assert State.model_validate_json(kept) == store.state
    assert (store.state.epoch, store.state.fenced_at) == (59, 59)


@pytest.mark.parametrize("dies_at", ["_overwrite", "_exchange", "sync_folder"])
def test_a_crash_in_mid_write_leaves_one_of_the_two_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    store = Store(tmp_path)
    store.write(epoch=4)
    store.write(epoch=5, fenced_at=5)

    def dies(*_: object) -> None:
        if dies_at == "_overwrite":
            (tmp_path / "state.spare").write_text('{"epo', encoding="utf-8")
        raise OSError(errno.EIO, "died here")

    with monkeypatch.context() as patched:
        patched.setattr(state, dies_at, dies)
        with pytest.raises(OSError, match="died here"):
            store.write(epoch=6)
    found = State.model_validate_json((tmp_path / "state.json").read_text(encoding="utf-8"))
    assert found.epoch == (6 if dies_at == "sync_folder" else 5)
    store.write(epoch=7, fenced_at=None)
    assert State.model_validate_json((tmp_path / "state.json").read_text(encoding="utf-8")) == State(epoch=7)


def test_a_shorter_state_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("x" * 300, "", "y"):
        store.write(rejoin_behind=name)
        assert State.model_validate_json((tmp_path / "state.json").read_text(encoding="utf-8")).rejoin_behind == name


def test_a_file_system_that_cannot_exchange_names_keeps_the_state_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class _Old:
        @staticmethod
        def renameat2(*_: object) -> int:
            return -1

    monkeypatch.setattr(state, "_libc", _Old)
    store = Store(tmp_path)
    for epoch in (1, 2, 3):
        store.write(epoch=epoch)
        assert State.model_validate_json((tmp_path / "state.json").read_text(encoding="utf-8")).epoch == epoch


def test_a_directory_of_an_earlier_gate_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"epoch": 9, "fenced_at": 9}', encoding="utf-8")
    store = Store(tmp_path)
    assert store.state == State(epoch=9, fenced_at=9)
    store.write(epoch=10)
    assert State.model_validate_json((tmp_path / "state.json").read_text(encoding="utf-8")).epoch == 10
