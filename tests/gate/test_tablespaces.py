"""Tablespaces: a member that has some can be copied anew, again and again, and what was kept aside stays whole."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from deploy.lab.patience import stretched
from gate.api import GateStatus, Role, Tablespace
from gate.loop import kept
from gate.postgres import tablespaces
from gate.record import Mode
from tests.gate.harness import Cluster
from tests.gate.parts import settings


async def _with_a_tablespace(pair: Cluster) -> Path:
    """Make a tablespace on a second volume of each member; return where."""
    place = pair.folder / "second" / "ts"
    for member in ("pg-1", "pg-0"):
        own = pair.volume(member) / "ts"
        own.mkdir()
        shutil.chown(own, "postgres", "postgres")
        pair.kill(member, signal.SIGTERM)
        pair.start(member)
    await pair.until_role("pg-0", Role.PRIMARY)
    await pair.until_synchronous("pg-1", stretched(60))
    await pair.as_superuser("pg-0", f"create tablespace ts location '{place}'")
    await pair.as_superuser("pg-0", "grant create on tablespace ts to public")
    await pair.sql("pg-0", "create table rows tablespace ts as select g from generate_series(1, 1000) g")
    return place


async def _outside(pair: Cluster, member: str) -> tuple[Tablespace, ...]:
    status: GateStatus | None = await pair.status(member)
    return status.contents.outside if status is not None and status.contents else ()


async def _is_known(pair: Cluster, member: str) -> bool:
    return any(one.bytes > 0 for one in await _outside(pair, member))


async def _has(pair: Cluster, member: str, rows: int) -> bool:
    with suppress(psycopg.OperationalError):
        return await pair.sql(member, "select count(*) from rows") == [(rows,)]
    return False


async def _lost_and_copied(pair: Cluster, member: str, rows: int) -> None:
    """Take a stopped member's data directory away, and let it come back."""
    shutil.rmtree(pair.directory(member) / "pgdata")
    pair.start(member)
    await pair.until_role(member, Role.STANDBY, stretched(60))
    await pair.until_true(lambda: _has(pair, member, rows), stretched(20))


async def test_a_member_is_copied_anew_though_its_tablespaces_are_still_there(pair: Cluster) -> None:
    """Twice, the second time from a member that is a copy itself."""
    place = await _with_a_tablespace(pair)
    await pair.until_true(lambda: _is_known(pair, "pg-0"), stretched(20))
    (seen,) = await _outside(pair, "pg-0")
    assert (seen.name, seen.location, seen.volatile) == ("ts", str(place), False)
    pair.die("pg-1")
    await _lost_and_copied(pair, "pg-1", 1000)
    await pair.until_synchronous("pg-1", stretched(60))
    pair.die("pg-0")
    await pair.seal("pg-1", epoch := pair.claim("pg-1", Mode.FORCED))
    await pair.promote("pg-1", epoch)
    pair.route("pg-1")
    await pair.until_role("pg-1", Role.PRIMARY)
    await pair.sql("pg-1", "insert into rows values (0)")
    await pair.until_true(lambda: _is_known(pair, "pg-1"), stretched(20))
    (copied,) = await _outside(pair, "pg-1")
    assert Path(copied.location).parent == place
    await _lost_and_copied(pair, "pg-0", 1001)
    (copied_again,) = tablespaces.linked(pair.directory("pg-0") / "pgdata")
    assert copied_again.parent == place


def _directory(tmp_path: Path, name: str, location: Path, *, size: int = 0) -> Path:
    """Make a data directory with a tablespace at ``location``."""
    links = tmp_path / name / "pg_tblspc"
    links.mkdir(parents=True)
    files = location / "PG_15_202209061" / "5"
    files.mkdir(parents=True)
    (files / "1").write_bytes(b"x" * size)
    (links / "16384").symlink_to(location)
    return tmp_path / name


def test_a_kept_directory_counts_its_tablespaces_and_takes_only_its_own_along(tmp_path: Path) -> None:
    own = settings(tmp_path)
    place = tmp_path / "volume" / "ts"
    old = _directory(own.own / "kept", "pgdata-20261101T010203", place, size=100)
    _directory(own.directory, "pgdata", place / "failover-20261101T010203", size=10)
    (listed,) = kept.listed(own)
    assert listed.bytes >= 100
    assert kept.take_off(own, old.name)
    kept._clear(own)
    assert not old.exists()
    assert [path.name for path in place.iterdir()] == ["failover-20261101T010203"]
    assert (place / "failover-20261101T010203" / "PG_15_202209061" / "5" / "1").exists()


def test_two_directories_with_one_tablespace_lose_nothing_when_one_goes(tmp_path: Path) -> None:
    own = settings(tmp_path)
    place = tmp_path / "volume" / "ts"
    old = _directory(own.own / "kept", "pgdata-20261101T010203", place, size=100)
    (own.data / "pg_tblspc").mkdir(parents=True)
    (own.data / "pg_tblspc" / "16384").symlink_to(place)
    assert kept.take_off(own, old.name)
    kept._clear(own)
    assert (place / "PG_15_202209061" / "5" / "1").exists()


def test_what_a_copy_that_was_cut_short_has_left_goes_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "ts"
    data = _directory(tmp_path, "pgdata", place / "failover-20261101T010203")
    for name in ("failover-20261102T010203", "PG_15_202209061", "failover-notes"):
        (place / name).mkdir()
    for seen_by_the_leader in (place, place / "failover-20250101T000000"):
        tablespaces.clear_cut_short([Tablespace(name="ts", location=str(seen_by_the_leader))], [data])
    assert sorted(path.name for path in place.iterdir()) == ["PG_15_202209061", "failover-20261101T010203", "failover-notes"]


def test_room_is_counted_for_each_file_system(tmp_path: Path) -> None:
    one = Tablespace(name="ts", location=str(tmp_path / "not" / "there"), bytes=7)
    other = Tablespace(name="mem", location="/dev/shm", bytes=5)
    assert tablespaces.room_needed([one, other], tmp_path, 100) == {tmp_path: 107, Path("/dev/shm"): 5}


@pytest.mark.parametrize(
    ("location", "option"),
    [
        ("/ts", "--tablespace-mapping=/ts=/ts/failover-20261129T000000"),
        ("/ts/failover-20250101T000000", "--tablespace-mapping=/ts/failover-20250101T000000=/ts/failover-20261129T000000"),
        ("/a=b", r"--tablespace-mapping=/a\=b=/a\=b/failover-20261129T000000"),
    ],
)
def test_a_copy_goes_below_the_tablespaces_own_place(location: str, option: str) -> None:
    assert tablespaces.mapped([Tablespace(name="ts", location=location)], "20261129T000000") == [option]


@pytest.mark.parametrize(
    ("devices", "volatile"),
    [
        ({"/": 1, "/ts": 1, "/data": 2}, True),
        ({"/": 1, "/ts": 2, "/data": 2}, False),
        ({"/": 1, "/ts": 1, "/data": 1}, False),
    ],
)
def test_one_in_the_containers_own_file_system_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, devices: dict[str, int], *, volatile: bool
) -> None:
    monkeypatch.setattr(Path, "stat", lambda path: SimpleNamespace(st_dev=devices[str(path)]))
    assert tablespaces.goes_with_the_container("/ts", Path("/data")) is volatile
