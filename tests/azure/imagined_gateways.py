"""Application gateways without a proxy: they probe, and take no requests. ``tests/proxy`` compares them with HAProxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.lab.azure.application_gateway_health import Member, Properties, Rule, Seen, members
from deploy.lab.azure.operations import Operations
from deploy.lab.azure.probing import Check, Probe, Prober


class ImaginedGateways:
    """A plane. ``probe`` answers for the servers."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.prober = Prober(probe, self._checks)
        self._running: dict[str, Properties] = {}

    async def begin(self, operations: Operations) -> None:
        self.prober.start(operations)

    def work(self, gateway: str, properties: Properties) -> None:
        self._running[gateway] = properties

    async def seen(self, gateway: str) -> Mapping[Member, Seen]:
        return {member: self._seen(member, rule) for member, rule in members(self._running[gateway])}

    async def probe(self, host: str, path: str, /) -> int:
        return await self._probe(host, path)

    async def end(self) -> None:
        await self.prober.stop()

    def _seen(self, member: Member, rule: Rule) -> Seen:
        found = self.prober.seen(rule.check(member[2]))
        return Seen(found.verdict(rule.threshold, rule.good), found.statuses[-1] if found.statuses else None)

    def _checks(self) -> Iterator[Check]:
        return (rule.check(address) for one in self._running.values() for (_, _, address), rule in members(one))
