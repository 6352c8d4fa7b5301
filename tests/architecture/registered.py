"""Everything that Temporal knows by a name, found by importing every module: nobody has to list a new one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from temporalio import activity, workflow

PRODUCT = ("estate", "gate", "workflows", "activities", "workers", "starters", "deploy", "languages")


def modules(package: str) -> list[ModuleType]:
    """Return ``package`` and every module below it."""
    root = importlib.import_module(package)
    below = pkgutil.walk_packages(root.__path__, f"{package}.")
    return [root, *(importlib.import_module(one.name) for one in below if not one.name.endswith("__main__"))]


def classes(package: str) -> list[type]:
    """Return every class that is defined below ``package``, each once."""
    members = ((module, found) for module in modules(package) for _, found in inspect.getmembers(module, inspect.isclass))
    return [found for module, found in members if found.__module__ == module.__name__]


def functions(package: str) -> Iterator[tuple[str, Any]]:
    """Return (where, function) of every function and method that is defined below ``package``."""
    for module in modules(package):
        for name, found in inspect.getmembers(module, inspect.isfunction):
            if found.__module__ == module.__name__:
                yield f"{module.__name__}.{name}", found
    for owner in classes(package):
        for name, found in vars(owner).items():
            if inspect.isfunction(found):
                yield f"{owner.__module__}.{owner.__qualname__}.{name}", found


def activities() -> dict[str, list[str]]:
    """Return registered name → where it is defined, for every activity of the product."""
    found: dict[str, list[str]] = {}
    for where, function in functions("activities"):
        said = getattr(function, "__step__", None)
        for one in (function, said.earlier if said else None):
            if one is not None and (definition := activity._Definition.from_callable(one)):
                found.setdefault(str(definition.name), []).append(where)
    return found


def workflows() -> dict[str, list[type]]:
    """Return registered name → classes, for every workflow of the product."""
    found: dict[str, list[type]] = {}
    for owner in classes("workflows"):
        if definition := workflow._Definition.from_class(owner):
            found.setdefault(str(definition.name), []).append(owner)
    return found


def handlers(owner: type) -> list[str]:
    """Return what a run of ``owner`` can be sent, as ``KIND NAME``."""
    definition = workflow._Definition.must_from_class(owner)
    kinds = {"signal": definition.signals, "update": definition.updates, "query": definition.queries}
    return [f"{kind} {name}" for kind, known in kinds.items() for name in known]
