"""A real API server with three scenes in it, and accounts that may read more or less of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.api_server import ApiServer, api_server
from tests.deploy.manifests import Object
from tests.init import scenes
from tests.starters.command import Command, Ran

_ALL = [
    "nodes", "pods", "services", "configmaps", "statefulsets", "deployments", "poddisruptionbudgets", "ingresses",
]  # fmt: skip
"""What ``init`` reads. No Secret, and no right to write anything."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Put all scenes into it."""
    people = {name: (name, "system:authenticated") for name in ("reader", "member", "scout", "nobody")}
    with api_server(tmp_path_factory.mktemp("init"), **people) as found:
        spaces = [scenes.namespace(one) for one in (scenes.SHOP, scenes.EMPTY, scenes.TEAM)]
        rights = [
            *scenes.reads("reader", "reads-all", _ALL),
            *scenes.reads("member", "reads-sets", ["statefulsets", "deployments", "services"], scenes.SHOP),
            *scenes.reads("scout", "reads-deployments", ["deployments"], scenes.SHOP),
        ]
        team = scenes.controller("Deployment", scenes.TEAM, "tool", {"image": "x/y:1"})
        objects = scenes.lab()
        found.apply([*[one for one in objects if one["kind"] == "Namespace"], *spaces, *rights])
        found.apply([one for one in objects if one["kind"] != "Namespace"])
        found.apply([*scenes.shop(), team, *scenes.azure_nodes()])
        yield found


@pytest.fixture
def plain_nodes(server: ApiServer) -> Iterator[None]:
    """Let the cluster have nodes without labels for a while."""
    _replace(server, [scenes.node(f"node-{number}") for number in (1, 2, 3)])
    yield
    _replace(server, scenes.azure_nodes())


def _replace(server: ApiServer, nodes: list[Object]) -> None:
    server.kubectl("delete", "nodes", "--all")
    server.apply(nodes)


class Inits:
    """Runs ``failover init`` as one of the accounts."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.out, self.answers = folder / "estate.yaml", folder / "estate.answers.yaml"
        self.environment = {"KUBECONFIG": str(server.kubeconfig)}

    async def __call__(self, *args: str, context: str = "reader", **environment: str) -> Ran:
        """Run it to its end without a terminal."""
        chosen = ("--context", context) if context else ()
        command = Command("127.0.0.1:1")
        return await command("init", *chosen, "--out", str(self.out), *args, **{**self.environment, **environment})

    def nothing_was_written(self) -> bool:
        return list(self.folder.iterdir()) == []


@pytest.fixture
def init(server: ApiServer, tmp_path: Path) -> Inits:
    folder = tmp_path / "out"
    folder.mkdir()
    return Inits(server, folder)
