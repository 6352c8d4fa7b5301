"""``failover evidence`` on a real sealed series on disk: any byte that was changed is found, and figures are compared."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from activities.run.evidence import MANIFEST, digest
from activities.run.evidence_files import read_all
from estate.signers import SigningKey
from starters.client.answers import Answer, Exit
from starters.commands.evidence import verified
from tests.drills.records import drilled, public, seal, write_estate
from tests.starters.test_usage import run

_FIGURES = ((2.1, 0), (2.5, 0), (9.0, 0), (None, None), (9.5, 3))
"""RTO and RPO of a series."""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seal a series and a drill of another one; return the estate's file."""
    estate = write_estate(tmp_path_factory.mktemp("sealed"))
    for number, (rto, rpo) in enumerate(_FIGURES, 1):
        seal(estate, drilled(number, rto_seconds=rto, rpo_rows=rpo))
    seal(estate, drilled(6, kind="pod", target="api", rto_seconds=30.0, word=None, gaps=("no latency",), parts=()))
    return estate


@pytest.fixture
def copied(sealed: Path, tmp_path: Path) -> Path:
    """Return a copy of the folder with the records."""
    return Path(shutil.copytree(sealed.parent / "records/evidence", tmp_path / "copy"))


def _keys(folder: Path, *names: str) -> str:
    path = folder / "keys"
    path.write_text("# ours\n" + "".join(public(name) for name in names), encoding="utf-8")
    return str(path)


def _verified(folder: Path) -> Answer:
    """Return what the command answers, without reading the estate a thousand times."""
    return verified(read_all(folder), (SigningKey.model_validate({"key": public()}),))


def test_what_nobody_has_touched_is_said_to_be_unchanged(sealed: Path, copied: Path, tmp_path: Path) -> None:
    last = digest((copied / "pod-api/2026-12-16T020000Z-00000006" / MANIFEST).read_bytes())
    for args in (("--estate", str(sealed)), (str(copied), "--keys", _keys(tmp_path, "stranger", "worker"))):
        ran = run("evidence", "verify", *args)
        assert (ran.exit_code, ran.stderr) == (0, "")
        assert " ".join(ran.stdout.split()) == (
            f"6 records are unchanged; the last one is pod-api/2026-12-16T020000Z-00000006, sha256 {last}"
        )


def test_a_thousand_bytes_that_were_changed_on_disk_are_all_found(copied: Path) -> None:
    for record in sorted(copied.glob("*/*"), key=lambda one: one.name)[2:]:
        shutil.rmtree(record)
    chance = random.Random(20261201)
    files = [path for path in sorted(copied.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    places = [(path, byte) for path in files for byte in range(path.stat().st_size)]
    for path, byte in chance.sample(places, 1_000):
        before = path.read_bytes()
        changed = bytearray(before)
        changed[byte] ^= chance.randint(1, 255)
        path.write_bytes(bytes(changed))
        answer = _verified(copied)
        assert answer.code == Exit.FAILED, (path, byte)
        assert any(str(path.parent.relative_to(copied)) in one for one in answer.data["findings"]), (path, byte)
        path.write_bytes(before)
    assert _verified(copied).code == Exit.DONE


def test_each_finding_is_one_line(sealed: Path, copied: Path) -> None:
    (copied / "redis-mymaster/2026-11-11T020000Z-00000001/report.json").write_bytes(b"{}")
    shutil.rmtree(copied / "redis-mymaster/2026-11-25T020000Z-00000003")
    (copied / "redis-mymaster/2026-11-18T020000Z-00000002/more").mkdir()
    (copied / "redis-mymaster/2026-11-18T020000Z-00000002/more/notes").write_bytes(b"")

    ran = run("evidence", "verify", str(copied), "--estate", str(sealed))

    assert ran.exit_code == 1
    first, second, third = ran.stdout.splitlines()
    assert first.startswith(
        "redis-mymaster/2026-11-11T020000Z-00000001: report.json was changed: 2 bytes, sha256 44136fa355b3"
    )
    assert second == "redis-mymaster/2026-11-18T020000Z-00000002: more/notes was added"
    assert third.startswith("redis-mymaster/2026-12-02T020000Z-00000004: follows ")
    assert "3 finding(s) in 5 records: they are not as they were written" in ran.stderr
    document = json.loads(run("evidence", "verify", str(copied), "--estate", str(sealed), "-o", "json").stdout)
    assert (document["exit_code"], document["findings"], document["records"]) == (1, [first, second, third], 5)


def test_records_that_are_missing_at_the_end_are_found_by_a_hash_that_was_noted(sealed: Path, copied: Path) -> None:
    args = ("evidence", "verify", str(copied), "--estate", str(sealed))
    noted = json.loads(run(*args, "-o", "json").stdout)["last"]["sha256"]
    assert run(*args, "--noted", noted).exit_code == run(*args, "--noted", noted[:12]).exit_code == 0
    shutil.rmtree(copied / "pod-api")
    assert run(*args).exit_code == 0
    ran = run(*args, "--noted", noted)
    assert (ran.exit_code, ran.stdout.strip()) == (
        1, f"no record has a manifest with the hash {noted}: records are missing at the end",
    )  # fmt: skip


def test_a_key_that_does_not_count_is_no_proof(copied: Path, tmp_path: Path) -> None:
    ran = run("evidence", "verify", str(copied), "--keys", _keys(tmp_path, "stranger"))
    assert ran.exit_code == 1
    assert len(ran.stdout.splitlines()) == 6
    assert all("is not among those that count" in line for line in ran.stdout.splitlines())


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "estate: missing; give --estate FILE"),
        (("--estate", "none.yaml"), "none.yaml: cannot be read"),
        (("nowhere", "--keys", "{keys}"), "dir: nowhere cannot be read: No such file or directory"),
        (("{empty}", "--keys", "{keys}"), "holds no record of a drill; give the folder evidence of the records"),
        (("{copied}", "--keys", "none"), "keys: none cannot be read"),
        (("{copied}", "--keys", "{empty}/bad"), "a line is cut off or damaged: copy the whole line of the .pub file"),
        (("{copied}", "--keys", "{empty}/none"), "holds no key; write one public key per line"),
        (("--estate", "{empty}/bare"), "dir: the estate names no records directory; add the key records, or give DIR"),
        (("{copied}", "--estate", "{empty}/bare"), "keys: the estate lists none under drills.sealed_by"),
    ],
)
def test_what_is_typed_wrongly_is_said(copied: Path, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "bad").write_text("ssh-ed25519")
    (empty / "none").write_text("# nothing\n")
    write_estate(empty, records=None, drills=None).rename(empty / "bare")
    names: dict[str, Any] = {"copied": copied, "empty": empty, "keys": _keys(tmp_path, "worker")}
    ran = run("evidence", "verify", *(one.format(**names) for one in args))
    assert ran.exit_code == 2
    assert says in " ".join(ran.stderr.split())


def test_the_series_shows_what_has_become_worse(sealed: Path) -> None:
    drills = json.loads(run("evidence", "list", "--estate", str(sealed), "-o", "json").stdout)["drills"]
    assert [(one["kind"], one["result"], one["confirmed_by"], one["objective_met"]) for one in drills] == [
        ("redis", "PASS", "dana", True), ("redis", "PASS", "dana", True), ("redis", "PASS", "dana", True),
        ("redis", "PASS", "dana", None), ("redis", "PASS", "dana", True), ("pod", "not confirmed", "", False),
    ]  # fmt: skip
    assert [one["regressions"] for one in drills] == [
        [], [], ["RTO 9.0 s; the last one was 2.5 s"], [], ["3 rows lost; the last one lost 0"], [],
    ]  # fmt: skip
    assert drills[5]["gaps"] == ["no latency"]


@pytest.mark.parametrize(("before", "now", "flagged"), [(100.0, 119.9, 0), (100.0, 120.1, 1), (1.0, 1.9, 0), (1.0, 2.1, 1)])
def test_a_regression_is_more_than_a_fifth_and_a_second(tmp_path: Path, before: float, now: float, flagged: int) -> None:
    estate = write_estate(tmp_path)
    for number, figure in enumerate((before, now), 1):
        seal(estate, drilled(number, rto_seconds=figure))
    drills = json.loads(run("evidence", "list", "--estate", str(estate), "-o", "json").stdout)["drills"]
    assert len(drills[1]["regressions"]) == flagged


def test_the_list_is_read_by_people(sealed: Path, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    (copied / "pod-api/2026-12-16T020000Z-00000006/drill.json").write_bytes(b"{}")
    ran = run("evidence", "list", str(copied))
    assert ran.exit_code == 0
    assert "not verified: give --keys FILE" in ran.stdout
    assert "REGRESSION: RTO 9.0 s; the last one was 2.5 s" in ran.stdout
    assert "2.100 s of 10.0 s" in ran.stdout
    assert "pod-api/2026-12-16T020000Z-00000006 cannot be read" in ran.stdout
    assert "30.0 s of 10.0 s, missed" in run("evidence", "list", "--estate", str(sealed)).stdout


def test_the_list_says_what_was_changed(copied: Path, tmp_path: Path) -> None:
    keys = _keys(tmp_path, "worker")
    whole = run("evidence", "list", str(copied), "--keys", keys, "-o", "json")
    assert (whole.exit_code, json.loads(whole.stdout)["verified"]) == (0, True)
    report = copied / "pod-api/2026-12-16T020000Z-00000006/report.json"
    report.write_bytes(report.read_bytes() + b" ")
    ran = run("evidence", "list", str(copied), "--keys", keys, "-o", "json")
    assert (ran.exit_code, json.loads(ran.stdout)["verified"]) == (1, False)
    assert len(json.loads(ran.stdout)["findings"]) == 1
    assert len(json.loads(ran.stdout)["drills"]) == 6  # and are listed all the same
