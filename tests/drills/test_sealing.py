"""The record of a drill on disk: written once, in one chain, signed so that ssh-keygen agrees, whatever ends the worker."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.signatures import sign
from activities.run import evidence_files
from activities.run.evidence import MANIFEST, NAMESPACE, SIGNATURE
from activities.run.evidence_files import Contents, manifest_of, put, read_all
from activities.run.models.wire import RunId
from tests.drills.records import drilled, private, public, seal, write_estate, wrong

_NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    return write_estate(tmp_path)


def test_records_of_all_drills_are_one_chain(estate: Path) -> None:
    done = [seal(estate, drilled(number, kind=kind)) for number, kind in enumerate(("redis", "pod", "redis"), 1)]

    root = estate.parent / "records/evidence"
    records = read_all(root)
    assert [one.name for one in records] == [
        "redis-mymaster/2026-11-11T020000Z-00000001", "pod-mymaster/2026-11-18T020000Z-00000002",
        "redis-mymaster/2026-11-25T020000Z-00000003",
    ]  # fmt: skip
    assert [str(root / one.name) for one in records] == [one.path for one in done]
    assert set(records[0].files) == {
        "drill.json", "report.json", "history.json", "there-history.json", "back-history.json", MANIFEST, SIGNATURE,
    }  # fmt: skip
    assert json.loads(records[0].files["back-history.json"])["of"] == "2"
    assert [manifest_of(one).previous for one in records] == ["", done[0].digest, done[1].digest]  # type: ignore[union-attr]
    assert ({one.note for one in done}, {one.gaps for one in done}, wrong(root)) == ({""}, {()}, ())


def test_ssh_keygen_agrees(estate: Path, tmp_path: Path) -> None:
    folder = Path(seal(estate, drilled()).path)
    (tmp_path / "allowed").write_text(f"worker {public()}", encoding="utf-8")
    command = ["ssh-keygen", "-Y", "verify", "-f", "allowed", "-I", "worker", "-n", NAMESPACE, "-s", str(folder / SIGNATURE)]
    for text, code in (((folder / MANIFEST).read_bytes(), 0), (b"{}", 255)):
        assert subprocess.run(command, input=text, cwd=tmp_path, capture_output=True, check=False).returncode == code


def test_repeated_it_is_the_same_record(estate: Path) -> None:
    first, again = seal(estate, drilled()), seal(estate, drilled(), report={"outcome": "another"})
    assert first == again
    assert len(read_all(estate.parent / "records/evidence")) == 1


class _Killed(BaseException):
    """The worker ends here: nothing below it runs."""


_CALLS = (
    (Path, "mkdir"), (Path, "open"), (Path, "rename"), (os, "open"), (os, "fsync"), (shutil, "rmtree"),
    (fcntl, "flock"),
)  # fmt: skip


def _dying_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[int]:
    """Let the ``number``-th operation on files not happen; return how many there were."""
    count = [0]

    def counted(call: Any) -> Any:
        def instead(*args: Any, **more: Any) -> Any:
            count[0] += 1
            if count[0] == number:
                raise _Killed
            return call(*args, **more)

        return instead

    for owner, name in _CALLS:
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    yield count[0]
    monkeypatch.undo()
    yield count[0]


def test_a_worker_that_is_killed_before_any_operation_leaves_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def signed(text: bytes) -> bytes:
        return sign(text, private(), NAMESPACE)

    contents = Contents("drill/2", {"report.json": b"{}", "drill.json": b"[]"}, ())
    number, died = 0, True
    while died:
        number += 1
        root = tmp_path / f"{number}"
        put(root, "pod-api/1", contents._replace(drill="drill/1"), signed, _NOW)
        (root / evidence_files._SCRATCH).mkdir()
        (root / evidence_files._SCRATCH / "half").write_bytes(b"left by another")
        dying = _dying_at(monkeypatch, number)
        next(dying)
        try:
            put(root, "pod-api/2", contents, signed, _NOW)
            died = False
        except _Killed:
            pass
        next(dying)
        assert wrong(root) == (), number
        again = put(root, "pod-api/2", contents, signed, _NOW + timedelta(seconds=number))
        put(root, "pod-api/3", contents._replace(drill="drill/3"), signed, _NOW)
        records = read_all(root)
        assert [one.name for one in records] == ["pod-api/1", "pod-api/2", "pod-api/3"], number
        assert (wrong(root), manifest_of(records[2]).previous) == ((), again.digest), number  # type: ignore[union-attr]
    assert number > 15


async def test_workers_that_seal_at_once_follow_each_other(tmp_path: Path) -> None:
    def one(number: int) -> None:
        put(tmp_path, f"pod-api/{number}", Contents(f"drill/{number}", {"a": b""}, ()), None, _NOW)

    await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(8)))
    assert [one for one in wrong(tmp_path) if "has no manifest.json.sig" not in one] == []
    manifests = [manifest_of(one) for one in read_all(tmp_path)]
    assert len({one.previous for one in manifests if one}) == len({one.sealed_at for one in manifests if one}) == 8


def test_a_lock_that_is_held_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_files, "_LOCKED_WITHIN_SECONDS", 0.1)
    contents = Contents("drill/1", {}, ())
    with evidence_files._locked(tmp_path), pytest.raises(TimeoutError, match=r"another worker has held \.lock for 0\.1 s"):
        put(tmp_path, "pod-api/1", contents, None, _NOW)


def test_a_record_from_the_future_or_a_damaged_one_is_not_followed_and_another_s_place_is_not_taken(tmp_path: Path) -> None:
    first = put(tmp_path, "pod-api/1", Contents("drill/1", {}, ()), None, _NOW)
    put(tmp_path, "pod-api/2", Contents("drill/2", {}, ()), None, _NOW + timedelta(days=400))
    (tmp_path / "pod-api/3").mkdir()
    (tmp_path / "pod-api/3" / MANIFEST).write_bytes(b"{}")

    done = put(tmp_path, "pod-api/4", Contents("drill/4", {}, ()), None, _NOW)

    assert (done.manifest.previous, done.manifest.sealed_at) == (first.digest, _NOW + timedelta(microseconds=1))
    assert [one.split(" was ")[0] for one in done.manifest.gaps] == ["the record pod-api/2", "the record pod-api/3"]
    for place in ("pod-api/1", "pod-api/3"):
        with pytest.raises(FileExistsError, match="the record of another drill lies there"):
            put(tmp_path, place, Contents("drill/5", {}, ()), None, _NOW)


def test_names_lead_nowhere_else(estate: Path) -> None:
    parts = tuple(one.model_copy(update={"role": "../../x"}) for one in drilled().parts)
    record = drilled(kind="../..", target="/etc", parts=parts, run=RunId(workflow_id="../x", run_id="/../../y"))
    folder = Path(seal(estate, record).path)
    assert folder.resolve().relative_to(estate.parent / "records/evidence").parts[0] == "-..--etc"
    assert {one.name for one in folder.iterdir()} >= {"-..-x-history.json", "-..-x-2-history.json"}


def test_another_run_s_record_is_refused(estate: Path) -> None:
    with pytest.raises(ApplicationError, match="it is of drill/cache, and drill/other asks"):
        seal(estate, drilled(), of=RunId(workflow_id="drill/other", run_id="1"))
