"""The key with which the lab's workers sign the records of drills: made with the lab, and gone with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from asyncssh import generate_private_key, import_private_key

SECRET = "failover-evidence"  # noqa: S105 - a name
_ESTATE, _FILE = "failover-estate", "estate.yaml"


def new_key() -> str:
    """Return a private key as ``ssh-keygen`` writes it."""
    return generate_private_key("ssh-ed25519", comment=SECRET).export_private_key("openssh").decode()


def public_half(private: str) -> str:
    """Return the line of its ``.pub`` file."""
    return import_private_key(private).export_public_key("openssh").decode().strip()


def count_key(objects: Iterable[dict[str, Any]], private: str) -> None:
    """Edit the estate among ``objects``: what that key has signed counts."""
    for one in objects:
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] == _ESTATE:
            estate = yaml.safe_load(one["data"][_FILE])
            estate["drills"]["sealed_by"] = [{"key": public_half(private)}]
            one["data"][_FILE] = yaml.safe_dump(estate, sort_keys=False)
