"""With what configuration a server is started, and when its door is closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from gate.lease.peers import Peers
from gate.loop.serving import Serving
from gate.loop.state import Store
from gate.postgres.controldata import ControlData, ControlFile
from gate.postgres.server import Server
from gate.postgres.synchronous import Synchronous
from tests.gate.parts import Log, settings
from tests.postgres.samples import B, C

CUT_SHORT = ControlData("in archive recovery", "73", timeline=2, checkpoint_lsn="0/1", segment_bytes=1 << 24, next_xid=1)


class _Server:
    """Keeps what it was started with, and how often it read its configuration again."""

    def __init__(self) -> None:
        self.started: list[Path] = []
        self.reloads = 0

    async def start(self, configuration: Path, overrides: dict[str, int]) -> None:
        assert not overrides
        self.started.append(configuration)

    def reload(self) -> None:
        self.reloads += 1


class _Peers:
    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}

    def known(self, member: str) -> str | None:
        return self.addresses.get(member)

    async def locate(self, member: str) -> None:
        self.addresses[member] = "10.0.0.9"


class _Control:
    last: ControlData | None = None

    async def refresh(self) -> None:
        """Say what is there already."""


class _Synchronous:
    names: tuple[str, ...] = ()

    def begin(self, names: tuple[str, ...]) -> None:
        self.names = names


class Member:
    """One member's server as far as its configuration goes."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.settings = settings(folder, **changes)
        self.store, self.server, self.peers, self.control = Store(self.settings.own), _Server(), _Peers(), _Control()
        self.synchronous, self.log = _Synchronous(), Log()
        self.serving = Serving(
            self.settings, self.store, cast("Server", self.server), cast("Peers", self.peers),
            cast("ControlFile", self.control), cast("Synchronous", self.synchronous), self.log,
        )  # fmt: skip

    @property
    def is_to_recover(self) -> bool:
        return (self.settings.data / "standby.signal").exists()

    def written(self, name: str = "postgresql.conf") -> str:
        return (self.settings.own / name).read_text(encoding="utf-8")


async def test_a_leader_starts_as_its_directory_is_and_a_standby_in_recovery(tmp_path: Path) -> None:
    one = Member(tmp_path)
    await one.serving.start(leader="", sync=(B,))
    assert (one.is_to_recover, one.synchronous.names, one.serving.following) == (False, (B,), "")
    assert f'ANY 1 ("{B}")' in one.written()
    await one.serving.start(leader=B)
    assert (one.is_to_recover, one.serving.following, len(one.server.started)) == (True, B, 2)


async def test_one_whose_promotion_was_cut_short_goes_through_recovery_again(tmp_path: Path) -> None:
    one = Member(tmp_path)
    (one.settings.data / "PG_VERSION").touch()
    one.control.last = CUT_SHORT
    await one.serving.start(leader="")
    assert one.is_to_recover
    assert "ITS PROMOTION WAS CUT SHORT" in one.log[0]


async def test_one_that_is_to_lead_again_stays_on_its_own_timeline(tmp_path: Path) -> None:
    one = Member(tmp_path)
    one.store.write(reverting=4)
    await one.serving.start(leader="")
    assert one.is_to_recover
    assert "recovery_target_timeline = 'current'" in one.written()


async def test_strict_durability_is_configured_before_anybody_leads(tmp_path: Path) -> None:
    one = Member(tmp_path, durability="strict")
    await one.serving.start(leader=B)
    assert one.synchronous.names == (B, C)


async def test_a_leader_s_new_address_is_noticed_and_taken_over(tmp_path: Path) -> None:
    one = Member(tmp_path)
    await one.serving.start(leader=B)
    assert not one.serving.has_moved
    one.peers.addresses[B] = "10.0.0.9"
    assert one.serving.has_moved
    await one.serving.follow(B)
    assert (one.serving.has_moved, one.server.reloads) == (False, 1)
    assert "hostaddr=10.0.0.9" in one.written()


async def test_a_former_primary_turns_applications_away_for_a_while(tmp_path: Path) -> None:
    one = Member(tmp_path, closed_after_route=60)
    one.serving.close_for_a_while()
    await one.serving.start(leader=B)
    assert (one.serving.closed, one.serving.may_open) == (True, False)
    assert one.written("pg_hba.conf").rstrip().endswith("reject")
    one.serving.closed_until = 0.0
    assert one.serving.may_open
    one.serving.open()
    one.serving.open()
    assert (one.serving.closed, one.server.reloads, one.log) == (False, 1, ["open to applications"])


async def test_a_leader_that_starts_is_never_closed(tmp_path: Path) -> None:
    one = Member(tmp_path, closed_after_route=60)
    one.serving.close_for_a_while()
    await one.serving.start(leader="")
    assert not one.serving.closed
