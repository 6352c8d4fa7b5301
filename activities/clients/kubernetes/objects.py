"""Objects of any kind, applied server-side under a field manager of their own, or tried by the server's own dry run.

The cluster itself says where objects of a kind live, so kinds of its own (custom resources) are served as well. What other
managers own is taken over (``force``): after a region is lost, the overlay counts. A dry run tells the difference field by
field; of Secrets only which fields differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from activities.clients.kubernetes.core import TIMEOUT, KubernetesClient
from activities.clients.ports import MissingError, RequestRefusedError
from activities.clients.region_ports import Objects
from estate.base import Region

OWN_MANAGER = "failover-region"
_APPLY = "application/apply-patch+yaml"
_REFUSED = {400, 403, 415, 422}
_FIRST = {"CustomResourceDefinition": 0, "Namespace": 1}
_MOST_CHANGES = 200
_SERVERS_OWN = {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}


class Applying:
    """Speaks for any number of clusters."""

    def __init__(self, kubernetes: KubernetesClient) -> None:
        """Ask through ``kubernetes``."""
        self._kubernetes = kubernetes

    async def applied(self, region: Region, objects: Objects) -> None:
        """Apply the objects, kinds and namespaces first. RequestRefusedError: one is refused, by name."""
        paths = _Paths(self._kubernetes, region)
        for one in sorted(objects, key=_turn):
            await self._patch(region, await paths.of(one), one)

    async def tried(self, region: Region, objects: Objects) -> tuple[str, ...]:
        """Return what would change, a line a field. RequestRefusedError: one is refused, by name."""
        paths, changes = _Paths(self._kubernetes, region), list[str]()
        fresh = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
        for one in sorted(objects, key=_turn):
            path = await paths.of(one)
            before = await self._now(region, path, one)
            try:
                after = await self._patch(region, path, one, dry=True)
            except MissingError as error:
                if _space(one, region) not in fresh:
                    raise RequestRefusedError(f"{_name(one)}: {error}", "404") from error
                after = one  # its namespace is applied with it, and is not there yet
            changes += _changes(one, before, after)
        more = f"… and {len(changes) - _MOST_CHANGES} more"
        return tuple(changes) if len(changes) <= _MOST_CHANGES else (*changes[:_MOST_CHANGES], more)

    async def _now(self, region: Region, path: str, one: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._ask(region, f"get {_name(one)}", "get", path)
        except MissingError:
            return None

    async def _patch(self, region: Region, path: str, one: dict[str, Any], *, dry: bool = False) -> dict[str, Any]:
        options: dict[str, Any] = {"body": one, "content_type": _APPLY, "field_manager": OWN_MANAGER}
        options |= {"force_conflicts": "true", **({"dry_run": "All"} if dry else {})}
        secret = one["kind"] == "Secret"
        return await self._ask(region, f"apply {_name(one)}", "patch", path, secret=secret, **options)

    async def _ask(self, region: Region, what: str, verb: str, path: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        return await _ask(self._kubernetes, region, what, verb, path, **options)


class _Paths:
    """Where objects live, by the cluster's own word; each kind is asked for once."""

    def __init__(self, kubernetes: KubernetesClient, region: Region) -> None:
        self._kubernetes, self._region = kubernetes, region
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}

    async def of(self, one: dict[str, Any]) -> str:
        """Return an object's path. RequestRefusedError: the cluster does not know its kind."""
        version, kind, name = one["apiVersion"], one["kind"], one["metadata"]["name"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._kinds:
            self._kinds[version] = await self._kinds_of(base)
        if kind not in self._kinds[version]:
            raise RequestRefusedError(f"{_name(one)}: the cluster knows no {version} {kind}", "404")
        resource, in_namespace = self._kinds[version][kind]
        space = f"/namespaces/{_space(one, self._region)}" if in_namespace else ""
        return f"{base}{space}/{resource}/{name}"

    async def _kinds_of(self, base: str) -> dict[str, tuple[str, bool]]:
        try:
            found = await _ask(self._kubernetes, self._region, f"list kinds of {base}", "get", base)
        except MissingError:
            return {}
        resources = [one for one in found.get("resources", []) if "/" not in one["name"]]
        return {one["kind"]: (one["name"], bool(one["namespaced"])) for one in resources}


async def _ask(
    kubernetes: KubernetesClient, region: Region, what: str, verb: str, path: str, **options: Any  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    secret = options.pop("secret", False)

    def call(api: client.ApiClient) -> dict[str, Any]:
        # Made without its discovery, which would ask for everything and keep it in a file.
        asking: Any = DynamicClient(api, discoverer=lambda *_: None)  # type: ignore[no-untyped-call]
        try:
            told = {"serialize": False, "_request_timeout": TIMEOUT, "header_params": {}, "query_params": []}
            answer = asking.request(verb, path, **told, **options)
        except ApiException as error:
            if secret:  # the server's words may quote what the Secret holds, and so may a failure's cause
                error.body = None
            if verb == "patch" and error.status in _REFUSED:
                raise RequestRefusedError(f"{what}: {_words(error)}", str(error.status)) from error
            raise
        found: dict[str, Any] = json.loads(answer.data)
        return found

    answer: dict[str, Any] = await kubernetes.run(region, what, call)
    return answer


def _words(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "{}").get("message") or f"{error.status} {error.reason}")
    except ValueError:
        return str(error.reason)


def _turn(one: dict[str, Any]) -> int:
    return _FIRST.get(one["kind"], len(_FIRST))


def _space(one: dict[str, Any], region: Region) -> str:
    return str(one["metadata"].get("namespace") or region.namespace)


def _name(one: dict[str, Any]) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def _changes(one: dict[str, Any], before: dict[str, Any] | None, after: dict[str, Any]) -> Iterator[str]:
    """Yield what differs between two states of an object."""
    name, hidden = _name(one), one["kind"] == "Secret"
    if before is None:
        yield f"+ {name}"
        return
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for field in sorted({**old, **new}):
        if old.get(field) == new.get(field):
            continue
        if hidden:
            yield f"~ {name} {field} (not shown)"
            continue
        if field in old:
            yield f"- {name} {field}: {_short(old[field])}"
        if field in new:
            yield f"+ {name} {field}: {_short(new[field])}"


def _leaves(value: Any, way: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """Yield (path, value) of everything in an object that people decide about."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            if way in {"", "metadata"} and (key == "status" or key in _SERVERS_OWN):
                continue
            yield from _leaves(inner, f"{way}.{key}" if way else str(key))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{way}[{number}]")
    else:
        yield way, value


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(value)[:120]
