"""The end of WAL of a stopped server, at every place in a segment where its shutdown checkpoint can be."""

from __future__ import annotations

import asyncio
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deploy.lab.packages import postgres_bin
from gate.postgres.controldata import (
    CLEAN_PRIMARY,
    ControlData,
    ProgramError,
    end_of_wal,
    read_control,
    record_end,
    run_program,
    segment_name,
)
from gate.postgres.lsn import format_lsn, parse_lsn
from tests.leftovers.servers import end_all_in
from tests.postgres_programs import FILL_SEGMENT, run

_PAGE, _CHECKPOINT = 8192, 114
_MIB = 1024 * 1024


@pytest.fixture
def place(_real_servers: None, folder: Path) -> Iterator[Path]:
    """Return a folder of the postgres user, whose servers end with the test."""
    shutil.chown(folder, "postgres", "postgres")
    yield folder
    end_all_in(folder)


def _made(place: Path, segment_mib: int) -> Path:
    data = place / "data"
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--wal-segsize", segment_mib)
    settings = "fsync = off\nmin_wal_size = 160MB\nautovacuum = off\nlisten_addresses = ''\n"
    memory = f"dynamic_shared_memory_type = mmap\nunix_socket_directories = '{place}'\n"
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(settings + memory)
    return data


def _stop_with_checkpoint_near(data: Path, distance: int) -> None:
    """Write, in single-user mode, until the next record begins about ``distance`` bytes before a segment ends; then end.

    A session in single-user mode ends with a shutdown checkpoint like that of a server.
    """
    fill = FILL_SEGMENT.format(distance=distance)
    text = run("postgres", "--single", "-D", data, "postgres", fed=fill.replace("\n", " ") + ";\n")
    assert "ERROR" not in text, text


def _says_waldump(data: Path, control: ControlData, *, crosses: bool) -> str:
    """Return the end of the record by PostgreSQL's own reading of it, from the segments that it is in."""
    start = parse_lsn(control.checkpoint_lsn)
    places = (start, start + _CHECKPOINT) if crosses else (start,)
    segments = [data / "pg_wal" / segment_name(control.timeline, place, control.segment_bytes) for place in places]
    text = run("pg_waldump", "-t", control.timeline, "-s", control.checkpoint_lsn, "-n", 1, *segments)
    found = re.search(r"len \(rec/tot\):\s*\d+/\s*(\d+)", text)
    assert found
    assert "CHECKPOINT_SHUTDOWN" in text
    return format_lsn(record_end(parse_lsn(control.checkpoint_lsn), int(found[1]), control.segment_bytes))


@pytest.mark.parametrize("segment_mib", [1, 16, 64])
def test_the_end_is_known_wherever_in_its_segment_the_checkpoint_is(place: Path, segment_mib: int) -> None:
    data = _made(place, segment_mib)
    found = postgres_bin()
    assert found
    seen = set()
    for distance in (2 * _PAGE, _PAGE, _PAGE // 2, 600, 400, 300, 240, 232, 224, 216, 208, 200, 160):
        _stop_with_checkpoint_near(data, distance)
        control = asyncio.run(read_control(found, data))
        assert control.state == CLEAN_PRIMARY
        end = end_of_wal(data, control)
        left = control.segment_bytes - parse_lsn(control.checkpoint_lsn) % control.segment_bytes
        assert end == _says_waldump(data, control, crosses=left < _CHECKPOINT)
        seen.add(left)
    print(f"{segment_mib} MiB: bytes from the checkpoint to the end of its segment: {sorted(seen)}")
    assert any(_CHECKPOINT < left <= _PAGE for left in seen), "none was in a segment's last page"
    assert any(left < _CHECKPOINT for left in seen), "none went on in the next segment"


def _written(folder: Path, start: int, length: int, segment_bytes: int) -> ControlData:
    wal = folder / "pg_wal"
    wal.mkdir(parents=True, exist_ok=True)
    with (wal / segment_name(1, start, segment_bytes)).open("wb") as file:
        file.truncate(segment_bytes)
        file.seek(start % segment_bytes)
        file.write(struct.pack("=I", length)[: segment_bytes - start % segment_bytes])
    return ControlData(CLEAN_PRIMARY, "7", 1, format_lsn(start), segment_bytes, 700)


@given(position=st.integers(0, _MIB // 8 - 1), length=st.integers(25, 4095))
def test_a_record_ends_behind_its_bytes_and_the_headers_of_the_pages_that_it_enters(position: int, length: int) -> None:
    start = 5 * _MIB + position * 8
    assume(start % _PAGE >= (40 if start % _MIB < _PAGE else 24))  # a record begins behind its page's header
    end = record_end(start, length, _MIB)
    kept, at = 0, start
    while at < end:  # what a reader of the pages finds
        if at % _PAGE == 0:
            at += 40 if at % _MIB == 0 else 24
            continue
        at += 8
        kept += 8
    assert kept >= length > kept - 8
    assert end % 8 == 0


def test_only_the_segment_that_the_checkpoint_begins_in_is_needed(tmp_path: Path) -> None:
    last_page = 6 * _MIB - 0x1C48
    assert end_of_wal(tmp_path, _written(tmp_path, last_page, _CHECKPOINT, _MIB)) == format_lsn(last_page + 120)
    last_bytes = 6 * _MIB - 8
    assert end_of_wal(tmp_path, _written(tmp_path, last_bytes, _CHECKPOINT, _MIB)) == format_lsn(6 * _MIB + 40 + 112)


@pytest.mark.parametrize("length", [0, 24, 4096, 2**31])
def test_what_is_no_checkpoint_is_not_taken_for_the_end(tmp_path: Path, length: int) -> None:
    control = _written(tmp_path, 5 * _MIB + 40, length, _MIB)
    with pytest.raises(ProgramError, match="there is no checkpoint at 0/500028"):
        end_of_wal(tmp_path, control)
    (tmp_path / "pg_wal" / segment_name(1, 5 * _MIB, _MIB)).unlink()
    with pytest.raises(ProgramError, match="cannot be read"):
        end_of_wal(tmp_path, control)


def _pretends(folder: Path, script: str) -> Path:
    program = folder / "pg_controldata"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "ended with 3"),
        ("exec sleep 60", "did not end within 0.5 s"),
        ("echo gibberish", "printed no control file"),
        ("printf '\\377\\376'", "printed no control file"),
        ("exec /does/not/exist", "ended with"),
    ],
)
async def test_a_program_that_fails_hangs_or_prints_nonsense_is_one_error(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        await read_control(_pretends(tmp_path, script), tmp_path, within=0.5)


async def test_a_program_that_is_not_there_is_the_same_error(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be started"):
        await run_program(str(tmp_path / "pg_rewind"))
