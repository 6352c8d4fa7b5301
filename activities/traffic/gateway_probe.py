"""The declared probe and its settings as edits of the gateway, in Azure's names for their properties. Pure.

Only what is declared is compared and set; every other property of a probe that is there stays.
"""

from __future__ import annotations

from typing import Any

from activities.traffic.gateway_models import Edit, GatewayFact, Place
from estate.gateways import GatewayProbe, GatewayTarget

_MATCH = "match"


def probe_edits(target: GatewayTarget, fact: GatewayFact) -> tuple[Edit, ...]:
    """Return what must be changed until the declared settings use the declared probe; empty: they do."""
    gateway, found = target.gateway, fact.basis.probe
    name, wanted = gateway.probe.name, _declared(gateway.probe)
    if found is None:
        told = f"probe {name}: none → {gateway.probe.path} every {gateway.probe.interval.total_seconds():g} s"
        made = {key: value for key, value in wanted.items() if value is not None}
        edits = [Edit(place=Place.PROBE, name=name, after=made, words=told)]
    else:
        edits = [_edit(name, found, key, value) for key, value in wanted.items() if not _is(found, key, value)]
    used = fact.basis.settings_probe.rpartition("/")[2]
    if used.casefold() != name.casefold():
        edits.append(
            Edit(
                place=Place.SETTINGS,
                name=gateway.settings,
                key="probe",
                before={"id": fact.basis.settings_probe} if fact.basis.settings_probe else None,
                after={"id": f"{fact.id}/probes/{name}"},
                words=f"settings {gateway.settings}: probe {used or 'none of their own'} → {name}",
            )
        )
    return tuple(edits)


def _declared(probe: GatewayProbe) -> dict[str, Any]:
    """Return the declared properties; ``None``: it must have no such one."""
    return {
        "protocol": probe.protocol.value,
        "host": probe.host or None,
        "path": probe.path,
        "interval": int(probe.interval.total_seconds()),
        "timeout": int(probe.timeout.total_seconds()),
        "unhealthyThreshold": probe.unhealthy_threshold,
        "pickHostNameFromBackendHttpSettings": not probe.host,
        _MATCH: {"statusCodes": list(probe.status_codes)},
    }


def _is(found: dict[str, Any], key: str, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    now = found.get(key)
    if key == _MATCH:
        return bool((now or {}).get("statusCodes") == wanted["statusCodes"])
    return bool(now == wanted) or (not now and not wanted)


def _edit(name: str, found: dict[str, Any], key: str, wanted: Any) -> Edit:  # noqa: ANN401 - JSON
    now = found.get(key)
    after = {**(now or {}), **wanted} if key == _MATCH else wanted
    words = f"probe {name}: {key} {_told(now)} → {_told(after)}"
    return Edit(place=Place.PROBE, name=name, key=key, before=now, after=after, words=words)


def _told(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return ", ".join(value.get("statusCodes") or ()) or "its default"
    return "none" if value in (None, "") else str(value)
