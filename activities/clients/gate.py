"""Speaks ``gate.api`` over HTTP to the gate in front of each member.

A refused connection, a timeout and an answer that is no JSON are silence (UnreachableError); a ``Problem`` is an answer
(GateRefusedError). A command that met silence may have been carried out: commands repeat safely at their epoch.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from activities.clients.kubernetes.addresses import Addresses
from activities.clients.ports import GateRefusedError, UnknownCommandError, UnreachableError
from activities.clients.secrets import read_secret
from activities.run.models.diagnosis import Silence
from estate.postgres import PostgresTarget
from gate.api import (
    MEANT_HEADER,
    MEMBER_HEADER,
    WORKER,
    AdoptCommand,
    Adopted,
    Command,
    DiscardCommand,
    FenceCommand,
    Fenced,
    GateStatus,
    Kept,
    Problem,
    ProblemKind,
    PromoteCommand,
    Promoted,
    RevertCommand,
    SealCommand,
    Sealed,
)

A = TypeVar("A", bound=BaseModel)
_CONNECT_SECONDS = 1.5
_CONNECT_SHARE = 0.5
"""A connection that is not taken must be told from an answer that does not come, however short the patience."""
_MARGIN_SECONDS = 0.5
"""An answer that comes at the gate's own limit is still waited for."""
_ERROR, _NOT_FOUND = 400, 404
_WITHIN = {
    "checkpoint": 300.0, "unfence": 100.0, "seal": 10.0, "revert": 40.0, "rejoin": 5.0, "adopt": 280.0, "kept": 30.0,
    "discard": 40.0,
}  # fmt: skip
"""Seconds to wait for each command's answer: the gate's own limit and a margin, but less than the step's posture."""


class GateClient:
    """All gates that the estate lists."""

    def __init__(self, addresses: Addresses) -> None:
        """Connect on first use, inside the running event loop."""
        self._addresses = addresses
        self._http: aiohttp.ClientSession | None = None

    async def status(
        self, target: PostgresTarget, member: str, *, timeout: timedelta = timedelta(seconds=3), asks: str = WORKER
    ) -> GateStatus:
        """Return what the member's gate knows."""
        return await self._call(target, member, "status", None, GateStatus, timeout.total_seconds(), asks)

    async def checkpoint(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """CHECKPOINT on the member's server."""
        return await self._command(target, member, "checkpoint", Command(epoch=epoch, run=run), GateStatus)

    async def fence(self, target: PostgresTarget, member: str, command: FenceCommand) -> Fenced:
        """Stop the member's server and keep it stopped."""
        return await self._call(target, member, "fence", command, Fenced, command.timeout_seconds + _MARGIN_SECONDS)

    async def unfence(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """Lift the fence; answer when the server serves again."""
        return await self._command(target, member, "unfence", Command(epoch=epoch, run=run), GateStatus)

    async def seal(self, target: PostgresTarget, member: str, command: SealCommand) -> Sealed:
        """Make the member ignore everything below the command's epoch, and say whether it was promoted."""
        return await self._command(target, member, "seal", command, Sealed)

    async def prepare(self, target: PostgresTarget, member: str, command: PromoteCommand) -> None:
        """Return once nothing keeps the member from being promoted as ``command`` says."""
        await self._call(target, member, "prepare", command, GateStatus, command.within_seconds + _MARGIN_SECONDS)

    async def promote(self, target: PostgresTarget, member: str, command: PromoteCommand) -> Promoted:
        """Let the member lead; answer when its server accepts writes."""
        return await self._call(target, member, "promote", command, Promoted, command.within_seconds + _MARGIN_SECONDS)

    async def revert(self, target: PostgresTarget, member: str, command: RevertCommand) -> Promoted:
        """Let a former primary lead again as it is, on an unused timeline; answer when its server accepts writes."""
        return await self._command(target, member, "revert", command, Promoted)

    async def rejoin(self, target: PostgresTarget, member: str, epoch: int, run: str) -> GateStatus:
        """Ask the member to look at the record now and follow it; answers at once."""
        return await self._command(target, member, "rejoin", Command(epoch=epoch, run=run), GateStatus)

    async def adopt(self, target: PostgresTarget, member: str, epoch: int, run: str, *, system_identifier: str) -> Adopted:
        """Make the roles that the product needs in a directory that has run without a gate; its server stays stopped."""
        command = AdoptCommand(epoch=epoch, run=run, system_identifier=system_identifier)
        return await self._command(target, member, "adopt", command, Adopted)

    async def kept(self, target: PostgresTarget, member: str) -> Kept:
        """Return what the member's rejoins have moved aside."""
        return await self._call(target, member, "kept", None, Kept, _WITHIN["kept"])

    async def discard(self, target: PostgresTarget, member: str, command: DiscardCommand) -> Kept:
        """Remove one thing that is kept aside; return what is left."""
        return await self._command(target, member, "discard", command, Kept)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.close()

    async def _command(self, target: PostgresTarget, member: str, what: str, body: Command, answer: type[A]) -> A:
        return await self._call(target, member, what, body, answer, _WITHIN[what])

    async def _call(  # noqa: PLR0913, PLR0917 - private, one argument a part of the call
        self, target: PostgresTarget, member: str, what: str, body: Command | None, answer: type[A], seconds: float,
        asks: str = WORKER,
    ) -> A:  # fmt: skip
        access = target.cluster.gate
        host = await self._addresses.of_member(target, member)
        headers = {
            "Authorization": f"Bearer {read_secret(access.token)}",
            MEMBER_HEADER: asks,
            MEANT_HEADER: f"{target.name}/{member}",
        }
        content = None if body is None else body.model_dump(mode="json")
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds * _CONNECT_SHARE, _CONNECT_SECONDS))
        try:
            async with self._session().request(
                "GET" if body is None else "POST",
                f"http://{host}:{access.port}/v1/{what}",
                json=content,
                headers=headers,
                timeout=limits,
            ) as reply:
                text, failed = await reply.text(), reply.status >= _ERROR
                if reply.status == _NOT_FOUND:
                    raise UnknownCommandError(f"what answers for the gate of {member} does not know {what}")
            if failed:
                raise self._said_no(target, member, Problem.model_validate_json(text))
            return answer.model_validate_json(text)
        except aiohttp.ConnectionTimeoutError as error:
            self._addresses.forget_pod(target.region, member)
            why = f"the gate of {member} took no connection within {limits.sock_connect:g} s"
            raise UnreachableError(why, Silence.NO_CONNECTION) from error
        except TimeoutError as error:
            why = f"the gate of {member} did not answer {what} within {seconds:g} s"
            raise UnreachableError(why, Silence.NO_ANSWER) from error
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, ConnectionRefusedError)
            silence = Silence.REFUSED if refused else Silence.NO_CONNECTION
            raise UnreachableError(f"the gate of {member} is not reachable: {error}", silence) from error
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise UnreachableError(f"the gate of {member} is not reachable: {error or type(error).__name__}") from error
        except ValidationError as error:
            raise UnreachableError(f"what answers for the gate of {member} is no gate: {text[:120]!r}") from error

    def _said_no(self, target: PostgresTarget, member: str, problem: Problem) -> Exception:
        """Return the refusal as an error; whoever else is at that address says nothing about ``member``."""
        if problem.kind is not ProblemKind.WRONG_MEMBER:
            return GateRefusedError(member, problem)
        self._addresses.forget_pod(target.region, member)
        return UnreachableError(f"the gate of {member} is not where it was: {problem.message}")

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None or self._http.closed:
            # A pod that was made anew has another address: what its name meant a moment ago is of no use.
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(use_dns_cache=False))
        return self._http
