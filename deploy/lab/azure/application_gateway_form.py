"""An application gateway's one big resource: what a PUT may contain, and how GET shows it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from deploy.lab.azure.bodies import Sent
from deploy.lab.azure.errors import ArmError

KIND = "Microsoft.Network/applicationGateways"
_COLLECTIONS = (
    "gatewayIPConfigurations", "authenticationCertificates", "trustedRootCertificates", "trustedClientCertificates",
    "sslCertificates", "frontendIPConfigurations", "frontendPorts", "probes", "backendAddressPools",
    "backendHttpSettingsCollection", "backendSettingsCollection", "httpListeners", "listeners", "sslProfiles", "urlPathMaps",
    "requestRoutingRules", "routingRules", "rewriteRuleSets", "redirectConfigurations", "privateLinkConfigurations",
    "loadDistributionPolicies",
)  # fmt: skip
_SETTINGS = {
    "sku", "sslPolicy", "webApplicationFirewallConfiguration", "firewallPolicy", "enableHttp2", "enableFips",
    "autoscaleConfiguration", "customErrorConfigurations", "forceFirewallPolicyAssociation", "globalConfiguration",
    "advancedRoutingMaps", "advancedRoutingConditionSets", "reservedCapacity", "entraJWTValidationConfigs",
}  # fmt: skip
_ONLY_READ = {
    "operationalState", "resourceGuid", "provisioningState", "privateEndpointConnections", "defaultPredefinedSslPolicy"
}  # fmt: skip
_BELOW = {"urlPathMaps": "pathRules", "loadDistributionPolicies": "loadDistributionTargets"}
_ANSWERED = {"sslCertificates": {"data": "publicCertData"}}
"""What is written under one name and read under another. Passwords are not read at all."""
_JOINED = {
    "/subnets/": "Microsoft.Network/virtualNetworks/subnets/join/action",
    "/publicipaddresses/": "Microsoft.Network/publicIPAddresses/join/action",
}
_ASSIGNED = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"


class Put(Sent):
    """The body of PUT. What was only read may be sent back, and is not looked at."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    etag: str | None = None
    location: str = Field(min_length=1)
    tags: dict[str, str] | None = None
    zones: tuple[str, ...] | None = None
    identity: dict[str, Any] | None = None
    properties: dict[str, Any]

    @property
    def top(self) -> dict[str, Any]:
        """What GET shows beside the properties."""
        given = self.given()
        return {key: given[key] for key in ("location", "tags", "zones", "identity") if given.get(key) is not None}


def kept(properties: Mapping[str, Any], id_of: str) -> dict[str, Any]:
    """Return what of a PUT's properties is kept. 400 for one that does not exist, or that refers to nothing."""
    if unknown := sorted(set(properties) - set(_COLLECTIONS) - _SETTINGS - _ONLY_READ):
        text = f"Could not find member '{unknown[0]}' on object of type 'ApplicationGatewayPropertiesFormat'."
        raise ArmError(400, "InvalidRequestContent", f"The request content was invalid: '{text}'", by="contract")
    found: dict[str, Any] = {name: copy.deepcopy(properties[name]) for name in _SETTINGS if name in properties}
    for name in _COLLECTIONS:
        found[name] = [_item(name, one) for one in properties.get(name) or []]
    known = {one.lower() for one in _ids(found, id_of)}
    for reference in _references(found):
        if reference.lower().startswith(f"{id_of.lower()}/") and reference.lower() not in known:
            text = f"Resource {reference} referenced by resource {id_of} was not found."
            raise ArmError(400, "InvalidResourceReference", f"{text} Please make sure that the referenced resource exists.")
    return found


def _item(collection: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return one member of a collection as it is kept: its name, and its properties without what is only read."""
    if not given.get("name"):
        raise ArmError(400, "InvalidRequestFormat", f"A member of {collection} has no name.", by="contract")
    properties = copy.deepcopy(dict(given.get("properties") or {}))
    for name in ("provisioningState", "password"):
        properties.pop(name, None)
    for written, shown in _ANSWERED.get(collection, {}).items():
        if written in properties:
            properties[shown] = properties.pop(written)
    if below := _BELOW.get(collection):
        properties[below] = [_item(below, one) for one in properties.get(below) or []]
    return {"name": given["name"], "properties": properties}


def _ids(found: Mapping[str, Any], id_of: str) -> Iterator[str]:
    for collection in _COLLECTIONS:
        for one in found[collection]:
            yield f"{id_of}/{collection}/{one['name']}"


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Return every id that is referred to; what has more than an id is no reference, but tells its own."""
    if isinstance(part, dict):
        if set(part) == {"id"}:
            yield str(part["id"])
        for value in part.values():
            yield from _references(value)
    if isinstance(part, list):
        for one in part:
            yield from _references(one)


def joined(body: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Return the actions on other resources that a PUT needs: it joins subnet and addresses, and assigns identities."""
    body = body if isinstance(body, dict) else {}
    named = [one.lower() for one in _references(body.get("properties"))]
    found = [action for part, action in _JOINED.items() if any(part in one for one in named)]
    return found + ([_ASSIGNED] if (body.get("identity") or {}).get("userAssignedIdentities") else [])


def shown(properties: Mapping[str, Any], id_of: str, etag: str, state: str) -> dict[str, Any]:
    """Return properties as GET shows them: every member with an id and the gateway's etag and state."""
    found = copy.deepcopy(dict(properties))
    for collection in _COLLECTIONS:
        found[collection] = [_member(one, f"{id_of}/{collection}", collection, etag, state) for one in found[collection]]
    return {"provisioningState": state, "operationalState": "Running", **found, "privateEndpointConnections": []}


def _member(one: dict[str, Any], place: str, collection: str, etag: str, state: str) -> dict[str, Any]:
    properties, id_of = one["properties"], f"{place}/{one['name']}"
    if below := _BELOW.get(collection):
        members = [_member(each, f"{id_of}/{below}", f"{collection}/{below}", etag, state) for each in properties[below]]
        properties = {**properties, below: members}
    return {
        "name": one["name"],
        "id": id_of,
        "etag": etag,
        "properties": {"provisioningState": state, **properties},
        "type": f"{KIND}/{collection}",
    }
