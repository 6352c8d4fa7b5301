"""Whether those who must approve by signed votes can sign: what doctor says of people's keys before they are needed.

A policy whose roles can no longer be filled is a fault: keys run out while nobody looks, and the estate is still read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from activities.run.findings import fault, ok, warning
from activities.run.models.doctor import Finding
from estate.base import ApprovalPolicy, fold, holders
from estate.model import Estate
from estate.signers import SigningKey

_SOON = timedelta(days=30)
_SUBJECT = "signers"
_REMEDY = "list a key of theirs under signers in the estate"
_SECTIONS = ("postgres", "flexible_servers", "redis", "traffic", "workloads", "node_pools", "gateways", "region_failovers")


def look_at_signers(estate: Estate, now: datetime) -> tuple[Finding, ...]:
    """Return what is wrong with the keys of those who approve by signed votes; nothing where no policy asks for them."""
    policies = dict(_signed_policies(estate))
    if not policies:
        return ()
    people = {name for policy in policies.values() for role in policy.roles for name in holders(estate.people, role)}
    able = {name for name in people if any(_counts(key, now) for key in _keys(estate, name))}
    found = [
        *_unmet(estate, policies, able),
        *(_without(estate, name) for name in sorted(people - able)),
        *(ending for name in sorted(able) if (ending := _ending(estate, name, now))),
    ]
    return tuple(found) or (ok(_SUBJECT, f"all {len(people)} who approve by signed votes have a key that counts"),)


def _signed_policies(estate: Estate) -> Iterator[tuple[str, ApprovalPolicy]]:
    for section in _SECTIONS:
        for name, entry in getattr(estate, section).items():
            for kind in type(entry.approvals).model_fields:
                policy = getattr(entry.approvals, kind)
                if isinstance(policy, ApprovalPolicy) and policy.signed:
                    yield f"{section}.{name}.approvals.{kind}", policy


def _keys(estate: Estate, person: str) -> tuple[SigningKey, ...]:
    return next((keys for name, keys in estate.signers.items() if fold(name) == fold(person)), ())


def _counts(key: SigningKey, now: datetime) -> bool:
    begun = key.valid_after is None or key.valid_after <= now
    return begun and not key.revoked and (key.valid_before is None or now < key.valid_before)


def _unmet(estate: Estate, policies: dict[str, ApprovalPolicy], able: set[str]) -> list[Finding]:
    """Return which policies nobody can meet now."""
    found = []
    for where, policy in policies.items():
        open_roles = [role for role in policy.roles if not able.intersection(holders(estate.people, role))]
        if len(policy.roles) - len(open_roles) < policy.needed:
            words = f"{where}: nobody who holds {', '.join(open_roles)} has a key that counts: no run is approved"
            found.append(fault(_SUBJECT, words, _REMEDY))
    return found


def _without(estate: Estate, person: str) -> Finding:
    keys = _keys(estate, person)
    why = (
        f"none of the {len(keys)} keys of {person} counts now (revoked, ended, or not begun)"
        if keys
        else f"{person} has none"
    )
    return warning(_SUBJECT, f"{person} may approve by signed votes only, and cannot sign: {why}", _REMEDY)


def _ending(estate: Estate, person: str, now: datetime) -> Finding | None:
    """Return that the last key of ``person`` runs out soon; ``None``: it does not."""
    ends = [key.valid_before for key in _keys(estate, person) if _counts(key, now)]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends) or not known or max(known) - now > _SOON:
        return None
    words = f"the last key of {person} counts until {max(known):%Y-%m-%d %H:%M}, in {(max(known) - now).days} days"
    return warning(_SUBJECT, words, f"list a newer key of {person} beside it, under signers in the estate")
