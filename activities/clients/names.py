"""Asks DNS where a name leads. Nothing is remembered here; what the resolver remembers, clients have too."""

from __future__ import annotations

from collections.abc import Mapping

import dns.asyncresolver
import dns.exception
import dns.rdatatype

from activities.traffic.models import NameFact
from estate.traffic import TrafficTarget

_WITHIN_SECONDS = 3.0


class DnsNames:
    """The DNS server that the estate names, or the worker's own resolver."""

    async def look(self, target: TrafficTarget, name: str, hosts: Mapping[str, str]) -> NameFact:
        """Return where ``name`` leads just now; ``hosts``: host → region. Never raises."""
        where = target.entry
        asked = where.nameserver or "the worker's own resolver"
        try:
            resolver = dns.asyncresolver.Resolver(configure=where.nameserver is None)
            if where.nameserver is not None:
                resolver.nameservers, resolver.port = [where.nameserver], where.nameserver_port
            answer = await resolver.resolve(f"{name}.", "A", raise_on_no_answer=False, lifetime=_WITHIN_SECONDS)
        except (dns.exception.DNSException, OSError) as error:
            return NameFact(error=f"{name}: DNS ({asked}) says {type(error).__name__}")
        records = answer.response.answer
        told = [str(one).rstrip(".").casefold() for rrset in records for one in rrset]
        region = next((hosts[one] for one in told if one in hosts), "")
        ttl = min((rrset.ttl for rrset in records), default=None)
        unknown = f"{name} leads to {', '.join(told) or 'nothing'}, which is no endpoint that the estate names"
        return NameFact(region=region, leads_to=tuple(told), ttl_seconds=ttl, error="" if region else unknown)
