"""What the other members' gates say, and where they are.

Where, is what the API server says: DNS tells the old address of a pod that was made anew, and a node that dies may take
half of DNS with it. A name that waits for an answer would hold up what must not wait: PostgreSQL does not leave recovery
while its WAL receiver looks up a name. Without the API server the last word counts, then the name.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time

import aiohttp
from pydantic import ValidationError

from gate.api import MEANT_HEADER, MEMBER_HEADER, Command, GateStatus, LeaveCommand
from gate.lease.kube import SILENT, ApiServer
from gate.settings import Settings

_CONNECTS_WITHIN = 0.2
_STALLED_SECONDS = 0.05
"""So much later than asked for: this process did not run, and does not know."""
_NO_WAY_THERE = {errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ETIMEDOUT}


async def _takes_connections(host: str, port: int) -> bool:
    """Whether there is an answer, or this process has not run and does not know."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(_CONNECTS_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return time.monotonic() - began > _CONNECTS_WITHIN + _STALLED_SECONDS
    except OSError as error:
        return error.errno not in _NO_WAY_THERE
    writer.close()
    return True


class Peers:
    """Asks the peers' gates."""

    def __init__(self, settings: Settings, api: ApiServer) -> None:
        self._settings, self._api = settings, api
        self._known: dict[str, str] = {}
        self._http: aiohttp.ClientSession | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The other members."""
        return self._settings.peers

    async def statuses(self) -> dict[str, GateStatus | None]:
        """Return member → status of every peer, ``None`` for those that do not answer within a second."""
        answers = await asyncio.gather(*(self.status(name) for name in self._settings.peers))
        return dict(zip(self._settings.peers, answers, strict=True))

    def known(self, member: str) -> str | None:
        """Return the address that is known for ``member``, ``None`` when only its name is."""
        return self._known.get(member)

    async def locate(self, member: str) -> None:
        """Learn where ``member`` (empty: nobody) is now; what was known stays when nobody says."""
        if not member:
            return
        with contextlib.suppress(*SILENT):
            address = await self._api.address_of(member)
            if address:
                self._known[member] = address

    async def status(self, member: str) -> GateStatus | None:
        """Return one member's status, ``None`` when it does not answer."""
        await self.locate(member)
        return await self._answer_of(member)

    async def _answer_of(self, member: str) -> GateStatus | None:
        try:
            async with self._session().get(self._url(member, "status"), headers=self._headers(member)) as answer:
                answer.raise_for_status()
                return GateStatus.model_validate_json(await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValidationError):
            return None

    async def answers(self, member: str) -> bool:
        """Whether the gate of ``member`` answers, where it was last."""
        return await self._answer_of(member) is not None

    async def is_there(self, member: str) -> bool:
        """Whether the machine of ``member`` takes or refuses a connection, which its kernel does without any program.

        Two at once: a packet that is lost is sent again after a second only. Without an address nobody can say that it is
        not there.
        """
        host, port = self.known(member), self._settings.port
        return host is None or any(await asyncio.gather(*(_takes_connections(host, port) for _ in range(2))))

    async def checkpoint(self, member: str, epoch: int) -> None:
        """Ask ``member`` for a CHECKPOINT; pg_rewind is wrong about a fresh timeline without one.

        Raises:
            aiohttp.ClientError, TimeoutError: it did not do it.
        """
        command = Command(epoch=max(epoch, 1), run=f"gate/{self._settings.member}")
        timeout = aiohttp.ClientTimeout(total=300)
        async with self._session().post(
            self._url(member, "checkpoint"), json=command.model_dump(), headers=self._headers(member), timeout=timeout
        ) as answer:
            answer.raise_for_status()

    async def leave(self, leader: str, epoch: int) -> None:
        """Tell the leader's gate that this member's server ends; it answers once commits do not wait for it.

        Raises:
            aiohttp.ClientError, TimeoutError: it did not answer.
        """
        member = self._settings.member
        command = LeaveCommand(epoch=max(epoch, 1), run=f"gate/{member}", member=member)
        timeout = aiohttp.ClientTimeout(total=2)
        async with self._session().post(
            self._url(leader, "leave"), json=command.model_dump(), headers=self._headers(leader), timeout=timeout
        ) as answer:
            answer.raise_for_status()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.close()

    def _url(self, member: str, what: str) -> str:
        host = self.known(member) or self._settings.address_of(member)
        return f"http://{f'[{host}]' if ':' in host else host}:{self._settings.port}/v1/{what}"

    def _headers(self, member: str) -> dict[str, str]:
        settings = self._settings
        token = settings.token_file.read_text(encoding="utf-8").strip()
        meant = {MEANT_HEADER: f"{settings.cluster}/{member}"}
        return {"Authorization": f"Bearer {token}", MEMBER_HEADER: settings.member} | meant

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(use_dns_cache=False), timeout=aiohttp.ClientTimeout(total=1)
            )
        return self._http
