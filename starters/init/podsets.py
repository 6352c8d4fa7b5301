"""A StatefulSet or a Deployment as ``init`` reads it: its pods' names, and what their specification names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

Spec = Mapping[str, Any]
Settings = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class PodSet:
    """Pods that are alike."""

    name: str
    labels: Mapping[str, str]
    """Of the pods."""
    spec: Spec
    """Of a pod."""
    replicas: int
    first: int = 0
    """Number of the first pod of a StatefulSet."""
    headless: str = ""
    """The Service that a StatefulSet names."""

    @property
    def pods(self) -> tuple[str, ...]:
        """Return the names of a StatefulSet's pods."""
        return tuple(f"{self.name}-{number}" for number in range(self.first, self.first + self.replicas))

    @property
    def containers(self) -> tuple[dict[str, Any], ...]:
        """Return the containers that run beside each other."""
        return tuple(self.spec.get("containers") or ())

    @property
    def claims(self) -> bool:
        """Whether its pods name a PersistentVolumeClaim."""
        return any("persistentVolumeClaim" in one for one in self.spec.get("volumes") or ())


def from_controller(found: Mapping[str, Any]) -> PodSet:
    """Return a StatefulSet or Deployment of the API server."""
    spec, template = found["spec"], found["spec"]["template"]
    replicas = spec.get("replicas")
    return PodSet(
        name=found["metadata"]["name"],
        labels=(template.get("metadata") or {}).get("labels") or {},
        spec=template["spec"],
        replicas=1 if replicas is None else replicas,
        first=(spec.get("ordinals") or {}).get("start", 0),
        headless=spec.get("serviceName") or "",
    )


def from_pods(pods: list[dict[str, Any]]) -> tuple[PodSet, ...]:
    """Return the StatefulSets that own these pods."""
    owned: dict[str, list[dict[str, Any]]] = {}
    for pod in pods:
        for owner in pod["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "StatefulSet":
                owned.setdefault(owner["name"], []).append(pod)
    return tuple(_of_pods(name, those) for name, those in sorted(owned.items()))


def _of_pods(name: str, pods: list[dict[str, Any]]) -> PodSet:
    numbers = sorted(int(pod["metadata"]["name"].rpartition("-")[2]) for pod in pods)
    first = min(pods, key=lambda pod: str(pod["metadata"]["name"]))
    labels = first["metadata"].get("labels") or {}
    return PodSet(
        name, labels, first["spec"], numbers[-1] - numbers[0] + 1, numbers[0], first["spec"].get("subdomain") or ""
    )


def image_of(container: Mapping[str, Any]) -> str:
    """Return the last part of a container's image, without its tag: ``bitnami/postgresql:16`` → ``postgresql``."""
    return str(container.get("image") or "").rpartition("/")[2].partition("@")[0].partition(":")[0].lower()


def ports_of(container: Mapping[str, Any]) -> dict[int, str]:
    """Return port → its name."""
    return {one["containerPort"]: one.get("name") or "" for one in container.get("ports") or ()}


def program_of(container: Mapping[str, Any]) -> str:
    """Return the command line."""
    return " ".join((*(container.get("command") or ()), *(container.get("args") or ())))


def environment_of(container: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Return the variables whose values can be read: literal ones, and those of ConfigMaps. Never a Secret's."""
    found: dict[str, str] = {}
    for one in container.get("envFrom") or ():
        source = one.get("configMapRef") or {}
        taken = settings.get(source.get("name") or "", {})
        found |= {f"{one.get('prefix') or ''}{key}": value for key, value in taken.items()}
    for one in container.get("env") or ():
        key = (one.get("valueFrom") or {}).get("configMapKeyRef") or {}
        if "value" in one:
            found[one["name"]] = one["value"]
        elif (value := settings.get(key.get("name") or "", {}).get(key.get("key") or "")) is not None:
            found[one["name"]] = value
    return found


def settings_named(spec: Spec) -> set[str]:
    """Return the ConfigMaps that a pod names: as variables, or as files."""
    named = {(one.get("configMap") or {}).get("name") for one in spec.get("volumes") or ()}
    for container in spec.get("containers") or ():
        named |= {(one.get("configMapRef") or {}).get("name") for one in container.get("envFrom") or ()}
        sources = ((one.get("valueFrom") or {}).get("configMapKeyRef") or {} for one in container.get("env") or ())
        named |= {one.get("name") for one in sources}
    return {str(name) for name in named if name}


def secrets_named(spec: Spec) -> set[str]:
    """Return the names of the Secrets that a pod refers to; what they hold is never read."""
    return set(_secrets(json.loads(json.dumps(dict(spec)))))


def _secrets(part: object) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _secrets(one)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in {"secretKeyRef", "secretRef", "secret"} and isinstance(value, dict):
            name = value.get("name") or value.get("secretName")
            yield from [name] if isinstance(name, str) else []
        yield from _secrets(value)


@dataclass(frozen=True)
class SecretFile:
    """A key of a Secret as a file in a container."""

    secret: str
    key: str


def file_in(spec: Spec, path: str) -> SecretFile | None:
    """Return the Secret whose key a pod has at ``path``; ``None``: that is no Secret's file."""
    for folder, secret, items in _mounted(spec):
        if PurePosixPath(path).is_relative_to(folder):
            name = str(PurePosixPath(path).relative_to(folder))
            return SecretFile(secret, next((key for key, file in items.items() if file == name), name))
    return None


def path_of(spec: Spec, wanted: SecretFile) -> str | None:
    """Return where a pod has that key as a file; ``None``: nowhere."""
    for folder, secret, items in _mounted(spec):
        if secret == wanted.secret and (not items or wanted.key in items):
            return f"{folder}/{items.get(wanted.key, wanted.key)}"
    return None


def _mounted(spec: Spec) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield folder, Secret, and its keys' files; no files: each key has its own name."""
    volumes = {one["name"]: one["secret"] for one in spec.get("volumes") or () if one.get("secret")}
    for container in spec.get("containers") or ():
        for mount in container.get("volumeMounts") or ():
            if (source := volumes.get(mount["name"])) and not mount.get("subPath"):
                items = {one["key"]: one["path"] for one in source.get("items") or ()}
                yield mount["mountPath"].rstrip("/"), source.get("secretName") or "", items
