"""Leader record and log sequence numbers: what is written is what is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.postgres.lsn import format_lsn, parse_lsn
from gate.record import (
    ANNOTATION_PREFIX,
    POD_NAME_LABEL,
    Intent,
    MalformedRecordError,
    Mode,
    Record,
    read_record,
    record_patch,
)

_NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_RUN = st.builds("postgres/{}/{}".format, _NAME, _NAME)
_RECORDS = st.builds(
    Record,
    leader=_NAME,
    epoch=st.integers(1, 10**6),
    intent=st.none() | st.builds(Intent, candidate=_NAME, mode=st.sampled_from(Mode), run=_RUN),
    run=_RUN,
    previous=st.just("") | _NAME,
    unfinished=st.just("") | _RUN,
    paused_until=st.just("") | st.just("2026-03-01T12:00:00+00:00"),
    sync=st.just("none") | st.lists(_NAME, min_size=1, max_size=3, unique=True).map(",".join),
    system_identifier=st.just("7300000000000000001"),
    paused_by=st.just("") | _NAME,
    paused_because=st.just("") | _NAME,
    resource_version=st.just("7"),
)


def _apply(service: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    notes = {**service["metadata"].get("annotations", {}), **patch["metadata"]["annotations"]}
    kept = {key: value for key, value in notes.items() if value is not None}
    return {
        "metadata": {**service["metadata"], "annotations": kept, "resourceVersion": patch["metadata"]["resourceVersion"]},
        "spec": patch["spec"],
    }


@given(_RECORDS, _RECORDS)
def test_a_record_is_read_as_it_was_written_whatever_stood_there(before: Record, after: Record) -> None:
    empty = {"metadata": {"name": "pg", "namespace": "prod", "annotations": {"team": "orders"}}}
    service = _apply(_apply(empty, record_patch(before)), record_patch(after))
    assert read_record(service) == after.model_copy(update={"selector": after.leader})
    assert service["metadata"]["annotations"]["team"] == "orders"


def test_a_service_without_annotations_has_no_record() -> None:
    assert read_record({"metadata": {"name": "pg", "resourceVersion": "1"}, "spec": {}}) is None


def test_a_foreign_selector_is_named_and_taken_out_by_the_next_write() -> None:
    service = _apply({"metadata": {"name": "pg"}}, record_patch(Record(leader="a", epoch=1, resource_version="1")))
    service["spec"] = {"selector": {"app": "ledger", "tier": "db"}}
    record = read_record(service)
    assert record is not None
    assert (record.selector, record.receivers) == ("", "every pod with app=ledger,tier=db")
    assert record_patch(record)["spec"]["selector"] == {POD_NAME_LABEL: "a", "app": None, "tier": None}
    service["spec"] = {"selector": {"app": "ledger", POD_NAME_LABEL: "b"}}
    record = read_record(service)
    assert record is not None
    assert (record.selector, record.foreign, record.receivers) == ("b", "app=ledger", "b")


@pytest.mark.parametrize(("key", "value"), [("epoch", "five"), ("epoch", ""), ("mode", "gently"), ("intent-run", None)])
def test_a_record_that_somebody_edited_is_refused_and_the_service_is_named(key: str, value: str | None) -> None:
    intent = Intent(candidate="b", mode=Mode.PLANNED, run="x/1")
    patch = record_patch(Record(leader="a", epoch=1, intent=intent, resource_version="1"))
    service = _apply({"metadata": {"name": "pg", "namespace": "prod"}}, patch)
    notes = service["metadata"]["annotations"]
    notes.pop(ANNOTATION_PREFIX + key) if value is None else notes.update({ANNOTATION_PREFIX + key: value})
    with pytest.raises(MalformedRecordError, match="prod/pg"):
        read_record(service)


@pytest.mark.parametrize(("sync", "members"), [("none", ()), ("", ()), ("b", ("b",)), ("b,c", ("b", "c"))])
def test_sync_members(sync: str, members: tuple[str, ...]) -> None:
    assert Record(leader="a", epoch=1, sync=sync).sync_members == members


@given(st.integers(0, 2**64 - 1))
def test_an_lsn_is_read_as_it_is_printed(position: int) -> None:
    assert parse_lsn(format_lsn(position)) == position


@pytest.mark.parametrize(("text", "position"), [("0/0", 0), ("16/B374D848", 0x16B374D848), ("FFFFFFFF/FFFFFFFF", 2**64 - 1)])
def test_an_lsn_is_what_postgresql_prints(text: str, position: int) -> None:
    assert (parse_lsn(text), format_lsn(position)) == (position, text)


@pytest.mark.parametrize("text", ["", "0", "x/y", "0/", "/0"])
def test_what_is_no_lsn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an LSN|invalid literal"):
        parse_lsn(text)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_lsns_are_in_the_order_of_their_positions(one: int, other: int) -> None:
    assert (parse_lsn(format_lsn(one)) < parse_lsn(format_lsn(other))) == (one < other)
