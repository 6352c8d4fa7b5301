"""Which third-party packages a part of the product may import: a driver that nobody knows yet belongs into a client too."""

from __future__ import annotations

import sys
from pathlib import Path

import grimp
import pytest

from deploy.lab.product import PRODUCT as IN_PODS
from tests.architecture.registered import PRODUCT

ALLOWED: dict[str, set[str]] = {
    "languages": set(),
    "estate": {"pydantic", "yaml"},
    "gate": {"aiohttp", "cryptography", "prometheus_client", "psycopg", "pydantic", "pydantic_settings"},
    "workflows": {"pydantic", "pydantic_core", "temporalio"},
    "activities": {"pydantic", "temporalio"},
    "workers": {"pydantic", "pydantic_settings", "temporalio"},
    "starters": {
        "fpdf",
        "google",
        "jinja2",
        "markupsafe",
        "prometheus_client",
        "pydantic",
        "rich",
        "temporalio",
        "typer",
        "yaml",
    },
}
_FREE = ("activities.clients.", "deploy.")
"""Clients speak to systems; the lab is no part of the product."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PRODUCT, include_external_packages=True, cache_dir=None)


def test_a_module_imports_only_what_its_part_may(graph: grimp.ImportGraph) -> None:
    known = {*PRODUCT, *sys.stdlib_module_names}
    found = [
        f"{module} imports {imported}"
        for module in graph.modules
        if (part := module.split(".")[0]) in PRODUCT and not f"{module}.".startswith(_FREE)
        for imported in graph.find_modules_directly_imported_by(module)
        if imported.split(".")[0] not in known | ALLOWED[part]
    ]
    assert sorted(found) == [], "systems are spoken to in activities/clients; anything else is to be allowed above, once"


def test_nothing_is_allowed_that_nobody_needs(graph: grimp.ImportGraph) -> None:
    needed = {
        (module.split(".")[0], imported.split(".")[0])
        for module in graph.modules
        if not f"{module}.".startswith(_FREE)
        for imported in graph.find_modules_directly_imported_by(module)
    }
    assert [(part, one) for part, allowed in ALLOWED.items() for one in sorted(allowed) if (part, one) not in needed] == []


def test_what_workers_import_is_in_the_image_and_in_the_lab_s_pods(graph: grimp.ImportGraph) -> None:
    needed = {module.split(".")[0] for module in graph.find_upstream_modules("workers", as_package=True)} & {*PRODUCT}
    image = (Path(__file__).resolve().parents[2] / "deploy" / "images" / "Dockerfile").read_text(encoding="utf-8")
    assert needed | {"workers"} == {*IN_PODS}
    assert [name for name in IN_PODS if f"COPY {name} /opt/failover/{name}\n" not in image] == []
