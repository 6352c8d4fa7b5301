"""Which images an overlay's containers run, and which of them nodes have. Pure.

A node that has an image starts its pod at once; another one pulls it first, which fails where its source is lost with the
region. A kubelet names the 50 largest images unless it is told otherwise, so that an image it does not name may be there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activities.clients.region_ports import Objects
from activities.region.evidence_models import ImageEvidence, ImagesEvidence

_CONTAINERS = ("containers", "initContainers")


def images_of(objects: Objects) -> tuple[str, ...]:
    """Return the images of all containers in ``objects``, each once, sorted."""
    return tuple(sorted({image for one in objects if one.get("kind") != "Secret" for image in _in(one)}))


def _in(part: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(part, list):
        for one in part:
            yield from _in(one)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in _CONTAINERS and isinstance(value, list):
            yield from (str(one["image"]) for one in value if isinstance(one, dict) and one.get("image"))
        else:
            yield from _in(value)


def seen_on(images: tuple[str, ...], nodes: tuple[frozenset[str], ...]) -> ImagesEvidence:
    """Return on how many nodes each image is."""
    return ImagesEvidence(
        images=tuple(ImageEvidence(name=image, nodes=sum(_has(node, image) for node in nodes)) for image in images),
        nodes=len(nodes),
    )


def _has(node: frozenset[str], image: str) -> bool:
    """Whether a node names an image. One that is written without a host is named by nodes with a host before it."""
    wanted = _tagged(image).split("/")
    if _has_host(image):
        return "/".join(wanted) in node
    return any(name.split("/")[-len(wanted) :] == wanted for name in node)


def _tagged(image: str) -> str:
    """Return a name with its tag, or with its digest alone, as nodes name images."""
    name, _, digest = image.partition("@")
    path, slash, last = name.rpartition("/")
    if digest:
        return f"{path}{slash}{last.partition(':')[0]}@{digest}"
    return image if ":" in last else f"{image}:latest"


def _has_host(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")
