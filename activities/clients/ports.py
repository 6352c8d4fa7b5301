"""What the steps need from the outside, as Protocols. Real adapters stand beside; ``tests/fakes`` has the in-memory world.

Each adapter raises only the errors below, so that a step can tell *no* (an answer) from *silence* (no answer).
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

from activities.postgres.models.post_promotion import Verified
from activities.postgres.models.survey import PodFact, SessionFact, SqlFact
from activities.redis.models import SentinelFact, ServerFact
from activities.run.errors import UnreachableError as UnreachableError  # noqa: PLC0414 - what every port may raise
from activities.run.errors import WriteFailedError as WriteFailedError  # noqa: PLC0414 - what every port may raise
from activities.run.models.lease import Unrenewed
from estate.base import Region
from estate.postgres import PostgresTarget
from estate.redis import RedisTarget
from gate.api import (
    Adopted,
    DiscardCommand,
    FenceCommand,
    Fenced,
    GateStatus,
    Kept,
    Problem,
    PromoteCommand,
    Promoted,
    RevertCommand,
    SealCommand,
    Sealed,
)
from gate.record import Record


class ConflictError(Exception):
    """The object changed between read and write; nothing was written."""


class ForbiddenError(Exception):
    """The system answered that we may not; names the verb and the object."""


class MissingError(Exception):
    """The object does not exist; names it."""


class BusyError(Exception):
    """The system does something else just now: nothing was done, and it may be asked again."""

    def __init__(self, message: str, after: timedelta | None = None) -> None:
        """Keep when it wants to be asked again, if it has said so."""
        super().__init__(message)
        self.after = after


class RequestRefusedError(Exception):
    """The system said no to this request, and will again: nothing was done."""

    def __init__(self, message: str, code: str) -> None:
        """Keep the system's code beside the sentence."""
        super().__init__(message)
        self.code = code


class UnknownCommandError(UnreachableError):
    """What answers does not know this command: a gate of an earlier version, or no gate."""


class GateRefusedError(Exception):
    """A gate said no."""

    def __init__(self, member: str, problem: Problem) -> None:
        """Keep the gate's answer beside the sentence."""
        super().__init__(f"{member}: {problem.message}")
        self.member = member
        self.problem = problem


class RedisAnswerError(Exception):
    """A Redis server or Sentinel answered with an error."""

    def __init__(self, name: str, message: str) -> None:
        """Keep the code, the answer's first word, beside the sentence."""
        super().__init__(f"{name}: {message}")
        self.code = message.split(" ", 1)[0]


class LeaderRecords(Protocol):
    """The leader record on a write Service, and the Lease beside it."""

    async def read(self, region: Region, service: str) -> Record | None:
        """Return the leader record on ``service``; ``None`` when it has none. MissingError without the Service."""

    async def write(self, region: Region, service: str, record: Record) -> Record:
        """Write record and selector if ``record.resource_version`` is still current; return it as written.

        Raises:
            ConflictError: somebody wrote in between. After silence the write may have happened: read again.

        """

    async def lease(self, region: Region, service: str, leader: str) -> Unrenewed | None:
        """Return the Lease that ``leader`` keeps renewing while it leads; ``None`` when none is kept by it."""

    async def lease_epoch(self, region: Region, service: str) -> int:
        """Return the epoch of the Lease, whoever has written it; 0 without one. ForbiddenError: we may not read it."""

    async def seize_lease(self, region: Region, service: str, seen: Unrenewed, candidate: str, epoch: int) -> bool:
        """Write ``epoch`` into the Lease if it still is as ``seen``: nobody at an earlier epoch can renew it any more.

        Returns False when it has been renewed since. After silence it may have been written: then it counts as renewed.
        """

    async def version(self, region: Region, service: str) -> str:
        """Return the ``resourceVersion`` of ``service``, for its first record. MissingError without the Service."""

    async def preview(self, region: Region, service: str, record: Record) -> str:
        """Return what ``write`` would change, as a diff made from a server-side dry run."""


class Rollout(NamedTuple):
    """How far the pods of a Deployment are those of its current template."""

    ready: int
    """Up to date and ready."""
    wanted: int
    done: bool
    paused: bool = False
    """Nobody makes new pods before it is resumed."""
    refused: str = ""
    """Why the API server refuses its new pods: a quota, a policy."""

    @property
    def hindrance(self) -> str:
        """Return why a restart would not begin, or not get on; empty when nothing is known."""
        if self.paused:
            return "is paused: its restart does not begin before `kubectl rollout resume`"
        return f"gets no new pods: {self.refused}" if self.refused else ""


class Kubernetes(Protocol):
    """One region's cluster, as far as a switch needs it."""

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:
        """Return the pods that exist among ``names``."""

    async def logs(self, region: Region, pod: str, lines: int) -> str:
        """Return the last ``lines`` lines of the pod's main container."""

    async def endpoints(self, region: Region, service: str) -> tuple[str, ...]:
        """Return the pods that are ready behind ``service``, sorted."""

    async def endpoints_version(self, region: Region) -> str | None:
        """Return a text that changes whenever any endpoint in the region's namespace does.

        ``None`` while one is terminating: its removal, the next change, is certain to come.
        """

    async def pods_of(self, region: Region, deployment: str) -> dict[str, str]:
        """Return pod → address of the Deployment's pods that have one."""

    async def restart_deployment(self, region: Region, deployment: str, mark: str) -> None:
        """Start a rolling restart, once per ``mark``: a second call with the same mark changes nothing."""

    async def deployment_progress(self, region: Region, deployment: str) -> Rollout:
        """Return how far the Deployment's rollout is, and what holds it up."""

    async def untaken_pods(self, region: Region, deployment: str) -> dict[str, str]:
        """Return pod → node of the Deployment's pods that a node was given and that its kubelet has not taken up."""


class Permissions(Protocol):
    """What doctor asks of a region's cluster beside the rest."""

    async def may(self, region: Region, verb: str, resource: str, name: str = "", group: str = "") -> bool:
        """Return whether we may do ``verb`` on ``resource`` (``pods/log`` for a part of one)."""

    async def may_delete(self, region: Region, pod: str) -> bool:
        """Return whether the API server would let us delete this pod, by a dry run. MissingError without the pod."""

    async def selector_managers(self, region: Region, service: str) -> tuple[str, ...]:
        """Return the field managers that own the selector of ``service``."""


class Gates(Protocol):
    """The gates of one cluster's members. Commands repeat safely at the same epoch."""

    async def status(self, target: PostgresTarget, member: str, *, timeout: timedelta = ..., asks: str = ...) -> GateStatus:
        """Return what the member's gate knows; ``asks``: ``gate.api.WATCH``, or a worker."""

    async def checkpoint(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """CHECKPOINT on the member's server."""

    async def fence(self, target: PostgresTarget, member: str, command: FenceCommand) -> Fenced:
        """Stop the member's server and keep it stopped."""

    async def unfence(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """Lift the fence; answer when the server serves again."""

    async def seal(self, target: PostgresTarget, member: str, command: SealCommand) -> Sealed:
        """Make the member ignore everything below the command's epoch, and say whether it was promoted."""

    async def prepare(self, target: PostgresTarget, member: str, command: PromoteCommand) -> None:
        """Return once nothing keeps the member from being promoted as ``command`` says. Changes nothing.

        Raises:
            UnknownCommandError: its gate is of an earlier version, which cannot be asked.

        """

    async def promote(self, target: PostgresTarget, member: str, command: PromoteCommand) -> Promoted:
        """Let the member lead; answer when its server accepts writes."""

    async def revert(self, target: PostgresTarget, member: str, command: RevertCommand) -> Promoted:
        """Let a former primary lead again as it is, on an unused timeline; answer when its server accepts writes."""

    async def rejoin(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """Ask the member to look at the record now and follow it; answers at once."""

    async def adopt(self, target: PostgresTarget, member: str, epoch: int, run: str, *, system_identifier: str) -> Adopted:
        """Make the roles that the product needs in a directory that has run without a gate; its server stays stopped."""

    async def kept(self, target: PostgresTarget, member: str) -> Kept:
        """Return what the member's rejoins have moved aside."""

    async def discard(self, target: PostgresTarget, member: str, command: DiscardCommand) -> Kept:
        """Remove one thing that is kept aside, for good; return what is left. One that is gone already is no error."""


class Postgres(Protocol):
    """SQL with the operator's own role."""

    async def facts(self, target: PostgresTarget, member: str, *, within: timedelta = ...) -> SqlFact:
        """Return what ``member`` says of itself, asked by its own address."""

    async def own_transactions(self, target: PostgresTarget, member: str, *, within: timedelta = ...) -> int:
        """Return how many transactions of ours the timeline of ``member``, a primary, holds, at least."""

    async def sessions(self, target: PostgresTarget, member: str) -> tuple[SessionFact, ...]:
        """Return the clients' sessions on ``member`` but for the operator's own, asked by its own address."""

    async def verify_write(self, target: PostgresTarget, leader: str) -> Verified:
        """Insert, read and delete a row through the write Service, on a new connection.

        ``endpoints`` of the answer is empty; the step fills it. Raises UnreachableError until a server behind the
        Service answers the write *and* is ``leader`` (told by its ``cluster_name``). An answer is also a refusal that is
        not of the moment: a right that is missing, a trigger, an extension; then ``refused`` has its words.
        """

    async def try_write(self, target: PostgresTarget) -> str:
        """Make the same write in a transaction that is rolled back; return the server's words if it refuses, else nothing.

        UnreachableError: nobody answers.
        """

    async def prepare_rows(self, target: PostgresTarget) -> None:
        """Make the tables that ``write_row`` writes to, once."""

    async def write_row(self, target: PostgresTarget, run: str, row: int, *, timeout: timedelta) -> None:
        """Insert row number ``row`` of ``run`` through the write Service: new connection, insert, commit, close.

        Returns only for a commit that counts: one acknowledged without the warning that waiting for the standby was
        cancelled.

        Raises:
            WriteFailedError: anything else, with its SQLSTATE or the exception's name.

        """

    async def missing_rows(self, target: PostgresTarget, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` of ``run`` the server behind the write Service does not have."""

    async def remove_rows(self, target: PostgresTarget, run: str) -> None:
        """Remove the rows of ``run`` and count them as our own transactions. Safe to repeat."""

    async def add_test(self, target: PostgresTarget, row: str, run: str) -> None:
        """Insert a drill's row (a UUID) into ``failover_tests`` by the write Service, and keep it. Safe to repeat.

        Acknowledged once this returns. UnreachableError: nobody has acknowledged it; it may be there.
        """

    async def has_test(self, target: PostgresTarget, member: str, row: str) -> bool:
        """Return whether ``member``, asked by its own address, has that row."""


class RedisServers(Protocol):
    """Servers and Sentinels of a Redis deployment, by their pods' names."""

    async def server(self, target: RedisTarget, name: str, *, within: timedelta = timedelta(seconds=1)) -> ServerFact:
        """Return what a server says of itself."""

    async def sentinel(self, target: RedisTarget, name: str, *, within: timedelta = timedelta(seconds=1)) -> SentinelFact:
        """Return what a Sentinel says of the master."""

    async def pause(self, target: RedisTarget, name: str, lasts: timedelta) -> None:
        """Hold every write back for ``lasts``, beginning now."""

    async def unpause(self, target: RedisTarget, name: str) -> None:
        """Let writers go on."""

    async def elect(self, target: RedisTarget, name: str, old: str) -> None:
        """Let a Sentinel promote a replica in place of the master at ``old``. RedisAnswerError: it does not."""

    async def demote(self, target: RedisTarget, name: str, master: str) -> int:
        """Make a server a replica of ``master`` (``host:port``) and send its clients away; return how many there were."""

    async def probe(self, target: RedisTarget, name: str, mark: str) -> int:
        """Write ``mark``, read it back, and return how many replicas have confirmed it."""

    async def add_row(self, target: RedisTarget, name: str, run: str, row: int, *, within: timedelta) -> None:
        """Add ``row`` to the set of ``run``: acknowledged once this returns."""

    async def missing_rows(self, target: RedisTarget, name: str, run: str, rows: tuple[int, ...]) -> int:
        """Return how many of ``rows`` the server does not have."""

    async def remove_rows(self, target: RedisTarget, name: str, run: str) -> None:
        """Remove the set of ``run``."""
