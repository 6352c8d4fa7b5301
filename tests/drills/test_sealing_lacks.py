"""A record that lacks something is sealed and says so; one that cannot be written is tried again, and then said."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.run.errors import Refusal, refuse
from tests.drills.records import Histories, drilled, private, seal, write_estate, wrong


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    return write_estate(tmp_path)


def _raise() -> str:
    raise refuse(Refusal.SECRET_MISSING, "secret env:KEY is missing")


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (None, "FAILOVER_EVIDENCE_KEY is not set"),
        (_raise, "secret env:KEY is missing"),
        (lambda: "no key", "FAILOVER_EVIDENCE_KEY: it is no OpenSSH private key without a passphrase"),
    ],
)
def test_without_a_key_it_is_written_and_says_that_it_is_not_signed(estate: Path, by: Any, why: str) -> None:
    done = seal(estate, drilled(), by=by)
    assert why in done.note
    assert done.gaps == (done.note,)
    (told,) = wrong(estate.parent / "records/evidence")
    assert told.endswith("has no manifest.json.sig")


def test_a_key_that_nobody_lists_is_said(estate: Path) -> None:
    done = seal(estate, drilled(), by=lambda: private("stranger"))
    assert "failover evidence verify will refuse this record: key SHA256:" in done.note
    assert done.gaps == ()


def test_without_a_directory_nothing_is_written_and_it_is_said(tmp_path: Path) -> None:
    done = seal(write_estate(tmp_path, records=None), drilled())
    assert (done.digest, done.note) == ("", "evidence: the estate names no records directory")
    assert done.gaps == ("the record was not written: the estate names no records directory",)


def test_a_directory_that_cannot_be_written_is_tried_again_and_then_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = write_estate(tmp_path, records=str(tmp_path / "file"))
    with pytest.raises(ApplicationError) as told:
        seal(path, drilled())
    assert (told.value.non_retryable, told.value.next_retry_delay) == (False, timedelta(seconds=5))

    done = seal(path, drilled(), attempt=4)
    assert done.note == f"evidence: {tmp_path}/file/evidence cannot be written: Not a directory"
    assert done.gaps[-1].startswith("the record was not written: ")


def test_what_it_lacks_is_listed(estate: Path) -> None:
    def gone(run: str) -> Exception | None:
        return RPCError("no such run", RPCStatusCode.NOT_FOUND, b"") if run == "2" else None

    word = drilled().word
    assert word is not None
    record = drilled(
        compared=False, gaps=("the latency was not measured",), word=word.model_copy(update={"key": ""}),
    )  # fmt: skip
    orders = [
        {"what": "skip", "by": "omar", "step": "rejoin"}, {"what": "hold", "by": "omar"},
        {"what": "skip", "by": "omar", "step": "late", "too_late": True},
    ]  # fmt: skip
    done = seal(estate, record, temporal=Histories(gone), report={"control": orders})
    assert done.gaps == (
        "the latency was not measured",
        "the state before and after was not compared",
        "nothing proves that dana has said whether it has passed: it is not signed",
        "rejoin was skipped by omar",
        "back-history.json: the history of redis/m/2 cannot be read: no such run",
    )
    assert done.note == ""


def test_temporal_that_is_away_is_asked_again(estate: Path) -> None:
    away = Histories(lambda _: RPCError("away", RPCStatusCode.UNAVAILABLE, b""))
    with pytest.raises(RPCError):
        seal(estate, drilled(), temporal=away)
    assert len(seal(estate, drilled(), temporal=away, attempt=4).gaps) == 3


def test_measurements_and_checklists_are_files_of_their_own(estate: Path) -> None:
    done = seal(estate, drilled(), measurements={"p99": 4.2}, checklists={"before": ["backup"]})
    assert json.loads((Path(done.path) / "measurements.json").read_text()) == {"p99": 4.2}
    assert json.loads((Path(done.path) / "checklists.json").read_text()) == {"before": ["backup"]}
