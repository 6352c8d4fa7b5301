"""The body of an application gateway: what it says of the declared parts, and how edits are made in it. Pure.

Azure replaces a gateway as a whole. So an edit is made in a copy of what was read, as it was read: what this product does
not know, and whatever tomorrow's Azure adds, is sent back unchanged. Whether a place still is as an edit says is looked at
place by place; that is what keeps an undo from overwriting what others have done since.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from activities.traffic.gateway_models import Basis, Edit, GatewayFact, Place
from estate.gateways import GatewayTarget

Json = dict[str, Any]
_PROBES, _SETTINGS, _POOLS = "probes", "backendHttpSettingsCollection", "backendAddressPools"
_READ_ONLY = "provisioningState"
_PORTS = {"http": 80, "https": 443}


def fact_of(target: GatewayTarget, body: Json) -> GatewayFact:
    """Return what ``body`` says of the declared parts."""
    gateway = target.gateway
    settings, pool = _properties(body, _SETTINGS, gateway.settings), _properties(body, _POOLS, gateway.pool)
    protocol = str((settings or {}).get("protocol") or "Http").casefold()
    return GatewayFact(
        id=str(body.get("id") or ""),
        state=str((body.get("properties") or {}).get(_READ_ONLY) or ""),
        basis=basis_of(target, body),
        entries={address_of(one): one for one in _entries(pool)},
        port=int((settings or {}).get("port") or _PORTS.get(protocol, 80)),
        tls=protocol == "https",
        has_settings=settings is not None,
        has_pool=pool is not None,
    )


def basis_of(target: GatewayTarget, body: Json) -> Basis:
    """Return what decisions about ``body`` are made on."""
    gateway = target.gateway
    probe = _properties(body, _PROBES, gateway.probe.name)
    settings, pool = _properties(body, _SETTINGS, gateway.settings), _properties(body, _POOLS, gateway.pool)
    return Basis(
        probe=None if probe is None else {key: value for key, value in probe.items() if key != _READ_ONLY},
        settings_probe=str(((settings or {}).get("probe") or {}).get("id") or ""),
        pool=tuple(address_of(one) for one in _entries(pool)),
    )


def edited(body: Json, edits: Iterable[Edit]) -> Json:
    """Return a copy of ``body`` with ``edits`` made, and nothing else changed."""
    made = copy.deepcopy(body)
    gone = [edit for edit in edits if edit.after is None]
    come = [edit for edit in edits if edit.after is not None]
    for edit in [*gone, *sorted(come, key=lambda one: (one.index is None, one.index or 0))]:
        _make(made, edit)
    return made


def open_edits(body: Json, edits: Iterable[Edit]) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """Return the edits that are still to be made, and what somebody else has made of the others' places."""
    todo, differs = [], []
    for edit in edits:
        now = _value(body, edit)
        if _same(now, edit.after):
            continue
        if _same(now, edit.before):
            todo.append(edit)
        else:
            differs.append(f"{edit.place.value} {edit.name}{f' {edit.key}' if edit.key else ''} is {_told(now)} now")
    return tuple(todo), tuple(differs)


def differences(planned: Basis, now: Basis) -> tuple[str, ...]:
    """Return what differs between two bases, in words."""
    found = []
    if planned.probe != now.probe:
        found.append(f"the probe is {_told(now.probe)} now")
    if planned.settings_probe != now.settings_probe:
        found.append(f"the settings use the probe {now.settings_probe.rpartition('/')[2] or 'none'} now")
    if planned.pool != now.pool:
        found.append(f"the pool has {', '.join(now.pool) or 'nobody'} now")
    return tuple(found)


def address_of(entry: Any) -> str:  # noqa: ANN401 - JSON
    """Return the address of a pool's entry; empty when it has none."""
    return str(entry.get("ipAddress") or entry.get("fqdn") or "") if isinstance(entry, dict) else ""


def _make(body: Json, edit: Edit) -> None:
    if edit.place is Place.PROBE and not edit.key:
        members = body["properties"].setdefault(_PROBES, [])
        members[:] = [one for one in members if not _is_called(one, edit.name)]
        if edit.after is not None:
            members.append({"name": edit.name, "properties": copy.deepcopy(edit.after)})
        return
    if edit.place is Place.BACKEND:
        pool = _must_have(body, _POOLS, edit.name)
        entries = [one for one in _entries(pool) if not _is_at(one, edit.key)]
        if edit.after is not None:
            entries.insert(len(entries) if edit.index is None else edit.index, copy.deepcopy(edit.after))
        pool["backendAddresses"] = entries
        return
    part = _must_have(body, _PROBES if edit.place is Place.PROBE else _SETTINGS, edit.name)
    if edit.after is None:
        part.pop(edit.key, None)
    else:
        part[edit.key] = copy.deepcopy(edit.after)


def _value(body: Json, edit: Edit) -> Any:  # noqa: ANN401 - JSON
    """Return what stands at the edit's place; ``None``: nothing."""
    if edit.place is Place.BACKEND:
        entries = _entries(_properties(body, _POOLS, edit.name))
        return next((one for one in entries if _is_at(one, edit.key)), None)
    part = _properties(body, _PROBES if edit.place is Place.PROBE else _SETTINGS, edit.name)
    return part if part is None or not edit.key else part.get(edit.key)


def _same(now: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether both say the same: Azure adds to what it was sent what is empty, 0 or false, and its own state."""
    if isinstance(now, dict) and isinstance(wanted, dict):
        more = [value for key, value in now.items() if key not in wanted and key != _READ_ONLY]
        return not any(more) and all(_same(now.get(key), value) for key, value in wanted.items())
    return bool(now == wanted) or (wanted is not None and not now and not wanted)


def _properties(body: Json, collection: str, name: str) -> Json | None:
    for one in (body.get("properties") or {}).get(collection) or ():
        if _is_called(one, name):
            found: Json = one.setdefault("properties", {})
            return found
    return None


def _must_have(body: Json, collection: str, name: str) -> Json:
    found = _properties(body, collection, name)
    if found is None:  # ``open_edits`` has seen it in the same body
        message = f"{collection} has no {name}"
        raise LookupError(message)
    return found


def _entries(pool: Json | None) -> list[Any]:
    return list((pool or {}).get("backendAddresses") or ())


def _is_called(member: Json, name: str) -> bool:
    return str(member.get("name") or "").casefold() == name.casefold()


def _is_at(entry: Any, address: str) -> bool:  # noqa: ANN401 - JSON
    return address_of(entry).casefold() == address.casefold()


def _told(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return "gone"
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value)
