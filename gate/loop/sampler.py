"""Looks at the server several times a second, so that ``/v1/status`` answers at once, even while the server is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg

from gate.api import Role, ServerFacts
from gate.postgres.controldata import read_history
from gate.postgres.lsn import parse_lsn
from gate.postgres.server import Server
from gate.postgres.sql import NOT_ANSWERING, Session
from gate.settings import Settings

PERIOD_SECONDS = 0.2

_PRIMARY = """
select pg_current_wal_lsn()::text as current_lsn,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       current_setting('synchronous_standby_names') as synchronous_standby_names,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next_xid,
       (select count(*) from pg_stat_activity
         where backend_type = 'client backend' and application_name <> 'gate') as sessions
"""
_FOLLOWERS = """
select application_name as member, state, sync_state, sent_lsn::text, flush_lsn::text, replay_lsn::text,
       state = 'streaming' and coalesce(greatest(flush_lsn, replay_lsn) > pg_current_wal_flush_lsn(), false) as ahead
from pg_stat_replication order by application_name
"""
_STANDBY = """
select greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text as receive_lsn,
       pg_last_wal_replay_lsn()::text as replay_lsn,
       pg_last_xact_replay_timestamp() as last_replay_at,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       greatest((select timeline_id from pg_control_checkpoint()),
                (select min_recovery_end_timeline from pg_control_recovery())) as control_timeline,
       w.status, w.received_tli, w.latest_end_lsn::text as upstream_lsn, w.last_msg_send_time as upstream_at,
       w.last_msg_receipt_time as heard_at,
       clock_timestamp() as at,
       (select count(*) from pg_stat_activity
         where backend_type = 'client backend' and application_name <> 'gate') as sessions
from (select 1) as one left join pg_stat_wal_receiver w on true
"""
_WEAK = """
select case when setrole <> 0 then 'role ' || setrole::regrole::text else '' end
       || case when setdatabase <> 0
               then ' database ' || (select datname from pg_database where oid = setdatabase) else '' end
       || ': ' || setting as weak
from pg_db_role_setting, unnest(setconfig) as setting
where lower(split_part(setting, '=', 1)) = 'synchronous_commit'
  and lower(split_part(setting, '=', 2)) in ('off', 'local', 'false', 'no', '0')
union all
select 'the server: ' || name || '=' || reset_val from pg_settings
where name in ('synchronous_commit', 'fsync', 'full_page_writes') and reset_val in ('off', 'local')
  and (name = 'fsync' or not pg_is_in_recovery())
order by 1
"""
"""PostgreSQL keeps a role's or a database's value as it was typed. Both are in the catalog, which standbys have too; what a
standby's own configuration says of commits concerns none of the leader's."""
_ANSWERS_WITHIN = 2.0
_GOING_DOWN = "57P"

Rows = list[dict[str, Any]]


class Sampler:
    """Keeps the latest facts about the running server; forgets them when it stops."""

    def __init__(
        self, settings: Settings, server: Server, upstream: Callable[[], str], mark: Callable[[Rows], Rows] = list
    ) -> None:
        """``upstream`` returns the member that the server is configured to follow, ``mark`` the rows of its standbys."""
        self._settings, self._server, self._upstream, self._mark = settings, server, upstream, mark
        self._session, self._pulse = Session(settings), Session(settings)
        self.facts = ServerFacts()
        """Without a role while the server does not answer."""
        self.sampled_at = 0.0
        """When the server was asked for them (``time.monotonic()``)."""
        self.sessions: int | None = None
        """Of the primary, when it last answered; not forgotten when it stops."""
        self.weak: tuple[str, ...] = ()
        """Settings that weaken commits, when it last answered; not forgotten when it stops."""
        self._last_word: tuple[str, dict[str, Any]] = ("", {})
        """Upstream, and what it said last of its end of WAL."""
        self._system: str | None = None
        self._received_timeline = 0
        """Of the last WAL that a standby that runs has received: without its upstream the control file may be behind."""

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            await self.sample()
            await asyncio.sleep(PERIOD_SECONDS if self.facts.role is not None else PERIOD_SECONDS / 4)

    async def sample(self) -> None:
        """Take one sample.

        Whether the server answers is asked in the shortest way there is, on a connection of its own. What it says of itself
        may take longer, or fail, under load; then its role is known, and the rest is not.
        """
        try:
            recovering = (await self._pulse.row("select pg_is_in_recovery() as yes", within=_ANSWERS_WITHIN))["yes"]
        except TimeoutError:
            self._forget(f"the server has not answered within {_ANSWERS_WITHIN:g} s")
            return
        except NOT_ANSWERING:
            self._forget()
            return
        self._server.answered_at = asked = time.monotonic()
        try:
            facts = await (self._standby() if recovering else self._primary())
        except NOT_ANSWERING as error:
            if _broke(error):
                self._forget()
                return
            facts = self._role_alone(Role.STANDBY if recovering else Role.PRIMARY, error)
        self.facts, self.sampled_at, self._server.serves = facts, asked, True
        self._system = facts.system_identifier

    def _forget(self, why: str = "") -> None:
        self.facts, self._server.serves, self._system = ServerFacts(unanswered=why) if why else ServerFacts(), False, None
        self._received_timeline = self._received_timeline if why else 0

    def _role_alone(self, role: Role, error: BaseException) -> ServerFacts:
        """Return what is left to say of a server that answers, and not all."""
        slow = isinstance(error, TimeoutError)
        why = f"took more than {_ANSWERS_WITHIN:g} s" if slow else f"were refused: {str(error).strip()}"
        return ServerFacts(role=role, system_identifier=self._system, unanswered=f"the server's figures {why}")

    async def _primary(self) -> ServerFacts:
        facts = await self._session.row(_PRIMARY)
        rows = self._mark(await self._session.rows(_FOLLOWERS))
        await self._look_for_weak_settings()
        self.sessions = facts["sessions"]
        history = read_history(self._settings.data, facts["timeline"])
        found = {
            **facts,
            "role": Role.PRIMARY,
            "followers": rows,
            "weak_commit_settings": self.weak,
            "history": history,
            "fork_lsn": history[-1][1] if history else None,
        }
        return ServerFacts.model_validate(found)

    async def _look_for_weak_settings(self) -> None:
        self.weak = tuple(row["weak"].strip() for row in await self._session.rows(_WEAK))

    async def _standby(self) -> ServerFacts:
        row = self._with_last_word(await self._session.row(_STANDBY))
        await self._look_for_weak_settings()
        streaming = row.pop("status") == "streaming"
        received_tli, control, at = row.pop("received_tli"), row.pop("control_timeline"), row.pop("at")
        heard = row.pop("heard_at")
        self._received_timeline = received_tli or self._received_timeline
        found = {
            **row,
            "role": Role.STANDBY,
            "upstream_silent_seconds": (at - heard).total_seconds() if heard else None,
            "timeline": received_tli or max(control, self._received_timeline),
            "weak_commit_settings": self.weak,
            "upstream": self._upstream() if streaming else None,
            **lag(row),
        }
        return ServerFacts.model_validate(found)

    def _with_last_word(self, row: dict[str, Any]) -> dict[str, Any]:
        """Fill in what the upstream said last: PostgreSQL forgets it the moment that the upstream is gone."""
        upstream = self._upstream()
        if row.get("upstream_lsn"):
            self._last_word = (upstream, {key: row[key] for key in ("upstream_lsn", "upstream_at", "heard_at")})
        elif self._last_word[0] == upstream:
            return {**row, **self._last_word[1]}
        return row


def _broke(error: BaseException) -> bool:
    """Whether the connection is gone, and the server perhaps with it; late, or a refusal, is an answer."""
    if isinstance(error, TimeoutError):
        return False
    code = error.sqlstate if isinstance(error, psycopg.Error) else None
    return code is None or code.startswith(_GOING_DOWN)


def lag(row: dict[str, Any]) -> dict[str, Any]:
    """Return ``lag_bytes`` and ``lag_seconds`` of a standby, ``None`` where they cannot be known.

    Bytes: received but not replayed, plus what the primary last reported minus received. Seconds: age of the last
    replayed transaction when the primary last spoke, both by the primary's own clock; 0 when nothing is missing. The time
    since the primary's last word is not lag: it grows for ever on a dead primary.
    """
    received, replayed, upstream = row.get("receive_lsn"), row.get("replay_lsn"), row.get("upstream_lsn")
    if not received or not replayed or not upstream:
        return {"lag_bytes": None, "lag_seconds": None}
    waiting = max(parse_lsn(received) - parse_lsn(replayed), 0)
    missing = max(parse_lsn(upstream) - parse_lsn(received), 0)
    if waiting + missing == 0:
        return {"lag_bytes": 0, "lag_seconds": 0.0}
    last, asked = row.get("last_replay_at"), row.get("upstream_at")
    seconds = max((asked - last).total_seconds(), 0.0) if last and asked else None
    return {"lag_bytes": waiting + missing, "lag_seconds": seconds}
