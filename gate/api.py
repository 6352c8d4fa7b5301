"""The gate's HTTP interface, as data. Served by ``gate.commands.http``, spoken by ``activities.clients.gate``.

All under ``/v1`` with ``Authorization: Bearer TOKEN``; JSON in and out. Every command carries an epoch. The gate keeps
the highest epoch it has seen on disk *before* it acts on it, and answers a lower one with 409 ``stale_epoch``: a worker
that was frozen and wakes up late changes nothing. Repeating a command at the same epoch is answered like the first time.

==========================  ==================================================================================
``GET  /readyz  /livez``    for the kubelet; no token
``GET  /metrics``           ``gate_*`` gauges for Prometheus; no token
``GET  /v1/status``         ``GateStatus``; answers while the server is stopped, starting or being rewound
``POST /v1/checkpoint``     ``Command`` → ``GateStatus``: CHECKPOINT, so that the stop that follows is short
``POST /v1/fence``          ``FenceCommand`` → ``Fenced``: the server is stopped and stays stopped
``POST /v1/unfence``        ``Command`` → ``GateStatus``: the fence is lifted; answers when the server serves again
``POST /v1/seal``           ``SealCommand`` → ``Sealed``: revoke, ignore everything below this epoch; was I promoted?
``POST /v1/prepare``        ``PromoteCommand`` → ``GateStatus``: could it lead now? Has it all, and replayed it?
``POST /v1/promote``        ``PromoteCommand`` → ``Promoted``: answers when the server has left recovery
``POST /v1/revert``         ``RevertCommand`` → ``Promoted``: a former primary leads again, as it is, on an unused timeline
``POST /v1/adopt``          ``AdoptCommand`` → ``Adopted``: roles are made in a directory that has run without a gate
``POST /v1/leave``          ``LeaveCommand`` → ``GateStatus``: a standby says that it ends; commits no longer wait for it
``POST /v1/rejoin``         ``Command`` → ``GateStatus``: look at the record now and rejoin, although paused; answers at once
==========================  ==================================================================================

Errors are ``Problem`` with 401, 409 (refused: stale epoch, not possible in this state), 421 (another member's gate was
meant), 422 (bad input) or 503 (try again: the server is starting, the API server does not answer).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


_HIGHEST_EPOCH = 2**31 - 1
"""``gate.record.HIGHEST_EPOCH``: the interface imports nothing."""
MEMBER_HEADER = "Failover-Member"
"""Whoever asks a gate says who it is: a member's name, or one of these two."""
WORKER, WATCH = "worker", "watch"
MEANT_HEADER = "Failover-Meant"
"""``CLUSTER/MEMBER`` that is meant: an address may have become another gate's, which neither answers nor obeys."""
"""``WATCH``: a detection that begins a planned failover when a leader is asked to end."""


class ServerState(StrEnum):
    """What the supervised PostgreSQL process is doing."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Role(StrEnum):
    """Role of a running server."""

    PRIMARY = "primary"
    STANDBY = "standby"


class ProblemKind(StrEnum):
    """Why the gate said no."""

    UNAUTHORIZED = "unauthorized"
    WRONG_MEMBER = "wrong_member"
    BAD_REQUEST = "bad_request"
    STALE_EPOCH = "stale_epoch"
    NOT_STANDBY = "not_standby"
    NOT_PRIMARY = "not_primary"
    LSN_NOT_REACHED = "lsn_not_reached"
    WRONG_SYSTEM = "wrong_system"
    UNCLEAN_STOP = "unclean_stop"
    NOT_UNTOUCHED = "not_untouched"
    RECORD_FORBIDS = "record_forbids"
    NOT_SERVING = "not_serving"
    API_UNREACHABLE = "api_unreachable"


class Problem(_Wire):
    """A refusal: its kind, and a sentence with a name or a number in it."""

    kind: ProblemKind
    message: str
    epoch: int
    """Highest epoch that the gate has seen; 0, or the command's own, where it was not asked for it."""


SYNCHRONOUS = frozenset(("sync", "quorum"))
"""``sync_state`` of a standby that commits wait for."""


class Follower(_Wire):
    """One row of ``pg_stat_replication`` on a primary."""

    member: str
    """``application_name``: the member's pod name."""
    state: str
    sync_state: str
    sent_lsn: str | None = None
    flush_lsn: str | None = None
    replay_lsn: str | None = None
    ahead: bool = False
    """It says that it has WAL which this primary has never written: its word is worth nothing."""


class ServerFacts(_Wire):
    """What a server that runs says of itself. Unknown is ``None``, never zero."""

    next_xid: int | None = None
    """Primary: next transaction ID now; a stopped server's as of its last checkpoint."""
    role: Role | None = None
    system_identifier: str | None = None
    timeline: int | None = None
    fork_lsn: str | None = None
    """Where the current timeline left its parent; ``None`` on timeline 1."""
    history: tuple[tuple[int, str], ...] = ()
    """Earlier timelines of this server and the LSN at which each was left, oldest first."""
    current_lsn: str | None = None
    """Primary: end of WAL."""
    receive_lsn: str | None = None
    """Standby: WAL received and flushed."""
    replay_lsn: str | None = None
    last_replay_at: datetime | None = None
    upstream: str | None = None
    """Standby: member that it streams from at this moment."""
    upstream_lsn: str | None = None
    """Standby: end of WAL as the primary last reported it (``pg_stat_wal_receiver.latest_end_lsn``), even when gone."""
    upstream_at: datetime | None = None
    """Standby: when the primary last spoke, by the primary's clock."""
    upstream_silent_seconds: float | None = None
    """Standby: how long ago that was heard here."""
    lag_bytes: int | None = None
    """Standby: received but not replayed, plus ``upstream_lsn`` minus received."""
    lag_seconds: float | None = None
    """Standby: age of the oldest write not yet replayed, as it stood at ``upstream_at``; 0 when caught up."""
    followers: tuple[Follower, ...] = ()
    synchronous_standby_names: str | None = None
    weak_commit_settings: tuple[str, ...] = ()
    """Settings of ``synchronous_commit`` that are ``local`` or ``off``, however they are spelt: ``role app:
    synchronous_commit=false``. Of roles and databases, which standbys know too, and of a primary itself. A stopped server's
    as of its last answer."""
    unanswered: str = ""
    """Why the server's figures are unknown although it is there: they took too long, or were refused."""
    sessions: int | None = None
    """Client backends other than the gate's own."""


class Slot(_Wire):
    """A replication slot that outlives its consumer's connection."""

    name: str
    active: bool
    bytes_held: int | None = None
    """WAL that it keeps from being removed; ``None`` when it has never been used."""


class Tablespace(_Wire):
    """A tablespace outside the data directory."""

    name: str
    location: str
    """On this member: a copy of a member has it below the same place."""
    bytes: int = 0
    volatile: bool = False
    """In the container's own file system: it is lost when the pod ends."""


class Contents(_Wire):
    """What a server holds that does not go where leadership goes, as of the last 10 seconds in which it answered."""

    unlogged_tables: int = 0
    unlogged_bytes: int = 0
    """A standby only knows how large they were when they were last vacuumed or analysed."""
    largest_unlogged: tuple[str, ...] = ()
    """The largest three: database, schema and table."""
    slots: tuple[Slot, ...] = ()
    outside: tuple[Tablespace, ...] = ()


class GateStatus(ServerFacts):
    """Everything that the gate knows, as of ``at``. Unknown is ``None``, never zero."""

    member: str
    at: datetime
    epoch: int
    fenced_at_epoch: int | None = None
    promoted_at_epoch: int | None = None
    """Epoch of the promotion that this server carried out; kept until another member leads."""
    promoted_xid: int | None = None
    """Next transaction ID when that promotion was accepted; transactions from this one on were begun since."""
    untouched: bool = False
    """The server is stopped and its directory is as it was when it last led: not rewound, and it has followed nobody."""
    lacks: str = ""
    """It is stopped, led last, and a standby has WAL that its disk has not: the disk was set back. Says who has what."""
    server: ServerState
    doing: str
    """One sentence for people: ``runs as primary``, ``waits: the record names postgresql-standby-0``."""
    ready: bool
    control_state: str | None = None
    """``pg_controldata``'s cluster state, e.g. ``shut down``; the proof that a stop was clean."""
    checkpoint_lsn: str | None = None
    """Latest checkpoint's location (start of its record)."""
    empty: bool = False
    """The directory holds no database: nothing has ever been set up here, or the disk was lost."""
    standby_directory: bool | None = None
    """The directory is a standby's; ``None`` when it is empty, or when an older gate answers."""
    oldest_wal: str | None = None
    """Where the oldest WAL that this server still has begins, as of the last 10 seconds."""
    silent_seconds: float | None = None
    """Seconds since a server that runs answered its gate last; ``None`` when it is down."""
    frozen: bool = False
    """The server's processes are stopped where they are (SIGSTOP)."""
    heard: dict[str, float] = {}
    """Peer → seconds since its gate answered this one last; one that never did is missing."""
    asked: dict[str, float] = {}
    """Peer → seconds since its gate asked this one last (since this gate began, for one that never did): until then it may
    have vouched for it. Empty when an older gate answers."""
    hands_over: bool = False
    """It leads, is asked to end, and waits until another member leads: one that has everything could."""
    members: tuple[str, ...] = ()
    """All members as this gate was told of them: these may vouch for each other. Empty when an older gate answers."""
    isolation_seconds: float | None = None
    """After this long without anybody who vouches for it, a primary is killed by its own gate."""
    sessions_ended: int | None = None
    """Not the primary any more: sessions that it had when it was last seen to run as one; ``None``: not by this gate."""
    disk_free_bytes: int | None = None
    data_bytes: int | None = None
    contents: Contents | None = None
    """``None``: not seen yet, or an older gate answers."""
    certificate_ends_at: datetime | None = None
    """Of the certificate that the server serves; ``None`` without TLS, or when an older gate answers."""
    kept_aside_bytes: int = 0
    """WAL or whole directories that a rejoin moved aside instead of deleting."""


class Command(_Wire):
    """What every command carries."""

    epoch: int = Field(ge=1, le=_HIGHEST_EPOCH)
    run: str = Field(min_length=1)
    """``WORKFLOW_ID/RUN_ID`` on whose behalf; for the log."""


class KeptAside(_Wire):
    """WAL past a fork (``wal-…``) or a whole directory (``pgdata-…``) that a rejoin has moved aside."""

    name: str
    bytes: int
    since: datetime


class Kept(_Wire):
    """What a member keeps aside, oldest first."""

    member: str
    items: tuple[KeptAside, ...] = ()
    removed: bool | None = None
    """Answer to a removal: whether it was there."""


class DiscardCommand(Command):
    """Remove one thing that is kept aside, for good."""

    name: str = Field(min_length=1, max_length=100)


class FenceCommand(Command):
    """Stop the server and keep it stopped."""

    clean: bool = True
    """``True``: fast stop with a shutdown checkpoint, refuse when the stop was not clean, or when it does not lead.
    ``False``: stop at any price, in whatever state: a server that does not stop in two seconds is killed."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """Clean: after so long the server goes on stopping, and the answer is *not serving*: ask again, or unfence."""
    wait_for: tuple[str, ...] = ()
    """Clean: members that must have the end of WAL before the server is down; empty: every member. Nobody else is waited
    for."""


class Fenced(_Wire):
    """The server is stopped and will not be started at or below this epoch."""

    epoch: int
    clean: bool
    timeline: int
    checkpoint_lsn: str
    """Start of the shutdown checkpoint's record: the last record of this server's WAL."""
    end_lsn: str
    """End of WAL: a candidate that received up to here has everything."""
    sessions_ended: int
    """Sessions that it had when it was last seen to run as primary."""
    stopped_at: datetime
    next_xid: int | None = None
    """Next transaction ID as of the last checkpoint; of a clean stop, one behind the last that was ever begun."""


class Sealed(_Wire):
    """The gate ignores everything below ``epoch`` from now on."""

    epoch: int
    promoted: bool
    """A promotion was accepted here at an earlier epoch and has (or may have) taken effect: only forward is safe."""
    status: GateStatus


class PromoteCommand(Command):
    """Leave recovery and lead."""

    at_least_lsn: str | None = None
    """Refuse unless WAL up to here has been received."""
    wanted_lsn: str | None = None
    """Wait for WAL up to here as long as it keeps coming; to lack it is no reason to refuse."""
    system_identifier: str
    replayed: bool = False
    """Refuse unless WAL up to ``at_least_lsn`` has been replayed, too: a promotion ends only once everything is."""
    within_seconds: float = Field(default=60.0, gt=0)
    """Refuse, or answer *not serving*, after so long."""


class LeaveCommand(Command):
    """A standby is asked to end: commits are not to wait for it."""

    member: str = Field(min_length=1)


class SealCommand(Command):
    """Ignore everything below the epoch, and say whether a promotion may have taken effect."""

    stop_unfinished: bool = False
    """A promotion that was accepted and has not come to its end: stop the server, so that it provably never happened."""
    stop_receiving: bool = False
    """A standby receives nothing more before it answers, and confirms nothing: not until the intent has left the record."""


class RevertCommand(Command):
    """Lead again on the directory as it is: what another member wrote since is given up."""

    system_identifier: str
    timeline: int = Field(ge=2)
    """Timeline that is given up; the new one is later than this."""
    history: tuple[tuple[int, str], ...] = Field(min_length=1)
    """Its earlier timelines and where each was left, oldest first; the last one must be this directory's."""


class Promoted(_Wire):
    """The server accepts writes."""

    epoch: int
    timeline: int
    lsn: str
    """End of WAL at the first look after recovery had ended."""
    promoted_at: datetime
    requests_sent: int
    """How often ``pg_promote(false)`` was sent; more than one means that the 5-second stall was met and avoided."""


class AdoptCommand(Command):
    """Make the roles that the product needs in a primary's directory that has run without a gate."""

    system_identifier: str


class Adopted(_Wire):
    """The directory is prepared, and its server stopped."""

    epoch: int
    system_identifier: str
    timeline: int
    control_state: str
    made: tuple[str, ...] = ()
    """Roles that were missing."""
    notes: tuple[str, ...] = ()
    """What a person should mend soon: passwords that no longer work, slots that keep WAL."""
