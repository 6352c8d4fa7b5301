"""What one namespace of a cluster shows, read once. What may not be listed is told by name, and becomes a question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from activities.clients.ports import ForbiddenError, MissingError
from starters.init.podsets import PodSet, from_controller, from_pods, settings_named

_SYSTEM = re.compile(r"kube-|gatekeeper-|calico-|tigera-|cert-manager|azure-|aks-|app-routing-")
"""Namespaces of the cluster's own programs begin so."""
_SETS = ("statefulsets", "deployments")
_OTHERS = ("pods", "services", "poddisruptionbudgets", "ingresses")


class Reader(Protocol):
    """Reads a cluster, and changes nothing."""

    context: str
    namespace: str

    def objects(self, resource: str, namespace: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind. ForbiddenError: it may not."""
        ...

    def settings(self, namespace: str, name: str) -> dict[str, str]:
        """Return what a ConfigMap holds. ForbiddenError, MissingError: it may not, there is none."""
        ...


@dataclass(frozen=True)
class Seen:
    """One namespace, and the cluster's nodes."""

    namespace: str
    objects: Mapping[str, list[dict[str, Any]]]
    """By resource; empty where it may not be listed."""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By name: the ConfigMaps that pods name."""
    refused: tuple[str, ...] = ()
    """One sentence for each kind that may not be read."""
    blind: frozenset[str] = frozenset()
    """The resources of ``refused``."""

    @property
    def stateful(self) -> tuple[PodSet, ...]:
        """Return the StatefulSets, by their pods where they may not be listed themselves."""
        if "statefulsets" in self.blind:
            return from_pods(self.objects["pods"])
        return tuple(from_controller(one) for one in self.objects["statefulsets"])

    @property
    def stateless(self) -> tuple[PodSet, ...]:
        """Return the Deployments."""
        return tuple(from_controller(one) for one in self.objects["deployments"])


def candidates(reader: Reader, named: Iterable[str]) -> dict[str, int]:
    """Return namespace → number of StatefulSets and Deployments, of the namespaces ``named``, else of all but the system's.

    Raises:
        ForbiddenError: nothing of them may be listed; names what.

    """
    where = list(dict.fromkeys(named))
    found, refused = _counted(reader, where or [""])
    if refused and not found and not where and reader.namespace:
        found, _ = _counted(reader, [reader.namespace])
    if refused and not found:
        raise refused[0]
    return {space: number for space, number in sorted(found.items()) if where or not _SYSTEM.match(space)}


def _counted(reader: Reader, where: list[str]) -> tuple[dict[str, int], list[ForbiddenError]]:
    """Return the numbers, and what may not be listed; pods count where one of the two kinds may not."""
    found: dict[str, int] = {}
    refused: list[ForbiddenError] = []
    for namespace in where:
        before = len(refused)
        for resource in (*_SETS, "pods"):
            if resource == "pods" and len(refused) == before:
                continue
            try:
                listed = reader.objects(resource, namespace)
            except ForbiddenError as error:
                refused.append(error)
                continue
            for one in listed:
                space = one["metadata"]["namespace"]
                found[space] = found.get(space, 0) + 1
    return found, refused


def look(reader: Reader, namespace: str) -> Seen:
    """Return what ``namespace`` shows. Nothing of it is changed, and no Secret is read."""
    refused: dict[str, str] = {}
    objects: dict[str, list[dict[str, Any]]] = {}
    for resource in ("nodes", *_SETS, *_OTHERS):
        try:
            objects[resource] = reader.objects(resource, "" if resource == "nodes" else namespace)
        except ForbiddenError as error:
            objects[resource], refused[resource] = [], str(error)
    first = Seen(namespace, objects, blind=frozenset(refused))
    settings, told = _settings(reader, first)
    return Seen(namespace, objects, settings, (*refused.values(), *told), frozenset(refused))


def _settings(reader: Reader, seen: Seen) -> tuple[dict[str, dict[str, str]], Iterator[str]]:
    found: dict[str, dict[str, str]] = {}
    for name in sorted({name for one in (*seen.stateful, *seen.stateless) for name in settings_named(one.spec)}):
        try:
            found[name] = reader.settings(seen.namespace, name)
        except MissingError:
            continue
        except ForbiddenError as error:
            return found, iter([str(error)])
    return found, iter(())
