"""An object of the base that becomes a template: leaves are replaced by expressions, parts are put under conditions.

YAML is written by PyYAML, with marks where Go's template language is to stand; the marks are replaced in the text. So a
template has exactly the fields of the base, and a field that the base gets is in the chart without further work.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import yaml

from deploy.helm.base import Object

Path = tuple[str | int, ...]
POD: Path = ("spec", "template", "spec")
CONTAINER: Path = (*POD, "containers", 0)
NAMESPACE = "aiagent-prod"
_MARK = re.compile(r"(?P<indent>[ ]*)(?P<item>- )?MARK(?P<block>\d+)BLOCK(: null)?\n|MARK(?P<leaf>\d+)LEAF")
_HASH = re.compile(r"(?<=settings|temporal)-[0-9a-z]{10}$")  # of what is in a ConfigMap


class Template:
    """One object, or several that differ by a name, as a template of the chart."""

    def __init__(self, body: Object) -> None:
        self.base, self._body, self._texts = body, deepcopy(body), list[str]()
        self._around = ("", "")
        self._walk(self._body, ())

    def put(self, path: Path, expression: str) -> Template:
        """Replace what is at ``path`` by what the expression says."""
        self.at(path[:-1])[path[-1]] = self._mark(f"{{{{ {expression} }}}}", "LEAF")
        return self

    def literal(self, path: Path, value: Any) -> Template:
        """Set a field that the base does not have."""
        self.at(path[:-1])[path[-1]] = value
        return self

    def text(self, path: Path, expression: str) -> Template:
        """Do the same for a text, which stays one whatever it looks like."""
        return self.put(path, f"{expression} | quote")

    def names(self, path: Path, expression: str) -> Template:
        """Do the same for a list or a mapping."""
        return self.put(path, f"toJson {expression}")

    def insert(self, path: Path, lines: str) -> Template:
        """Add lines of the template language to the mapping or list at ``path``."""
        mark, into = self._mark(lines, "BLOCK"), self.at(path)
        if isinstance(into, list):
            into.append(mark)
        else:
            into[mark] = None
        return self

    def replaced(self, path: Path, lines: str) -> Template:
        """Replace the mapping at ``path`` by lines of the template language."""
        self.at(path[:-1])[path[-1]] = {}
        return self.insert(path, lines)

    def only(self, path: Path, condition: str) -> Template:
        """Keep the item of a list at ``path`` where the condition holds."""
        items = self.at(path[:-1])
        item = yaml.safe_dump([items[path[-1]]], sort_keys=False, width=10_000)
        items[path[-1]] = self._mark(f"{{{{- if {condition} }}}}\n{item}{{{{- end }}}}", "BLOCK")
        return self

    def when(self, condition: str) -> Template:
        """Make the object only where the condition holds."""
        return self._within(f"{{{{- if {condition} }}}}\n")

    def each(self, names: str) -> Template:
        """Make one for each ``$one`` of the list."""
        return self._within(f"{{{{- range $one := {names} }}}}\n")

    def rendered(self) -> str:
        """Return the template's text."""
        text = yaml.safe_dump(self._body, sort_keys=False, width=10_000, allow_unicode=True)
        if "{{" in text:
            raise ValueError(f"the base has a field that Helm would read as a template: {self._body['metadata']}")
        begin, end = self._around
        return f"{begin}---\n{self._filled(text)}{end}"

    def _within(self, begin: str) -> Template:
        self._around = (self._around[0] + begin, "{{- end }}\n" + self._around[1])
        return self

    def _walk(self, value: Any, path: Path) -> None:
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if inner == NAMESPACE:
                self.text((*path, key), "$.Release.Namespace")
            elif isinstance(inner, dict | list):
                self._walk(inner, (*path, key))

    def at(self, path: Path) -> Any:
        """Return what is at ``path``; a mapping that is missing there is made."""
        found: Any = self._body
        for key in path:
            found = found.setdefault(key, {}) if isinstance(found, dict) else found[key]
        return found

    def _mark(self, text: str, kind: str) -> str:
        self._texts.append(text)
        return f"MARK{len(self._texts) - 1}{kind}"

    def _filled(self, text: str) -> str:
        return _MARK.sub(self._filling, text)

    def _filling(self, found: re.Match[str]) -> str:
        if leaf := found["leaf"]:
            return self._texts[int(leaf)]
        lines = self._filled(self._texts[int(found["block"])] + "\n").splitlines()
        return "".join(f"{found['indent']}{line}\n" for line in lines)


class Base:
    """The objects of the base, each of which is taken once."""

    def __init__(self, objects: list[Object]) -> None:
        self._left = {(one["kind"], _HASH.sub("", one["metadata"]["name"])): one for one in objects}

    def take(self, kind: str, name: str) -> Template:
        """Return the object as a template.

        Raises:
            KeyError: the base has it no more.
        """
        return Template(self._left.pop((kind, name)))

    def same(self, taken: Template, kind: str, name: str, **changes: str) -> None:
        """Take an object that another template makes as well: it differs by the names in ``changes`` only.

        Raises:
            ValueError: it differs otherwise; the chart could not make both.
        """
        text = yaml.safe_dump(self._left.pop((kind, name)))
        for old, new in changes.items():
            text = text.replace(old, new)
        if yaml.safe_load(text) != taken.base:
            raise ValueError(f"{kind} {name} of the base is not like its sibling: the chart makes both from one template")

    def nothing_left(self) -> None:
        """Check that the chart has every object.

        Raises:
            ValueError: the base has one that the chart does not know.
        """
        if self._left:
            raise ValueError(f"the chart lacks objects of the base, name them in deploy/helm/chart.py: {sorted(self._left)}")


def index(items: list[Object], name: str) -> int:
    """Return where the only item of a list with that name stands.

    Raises:
        ValueError: the base has none, or several.
    """
    (found,) = [number for number, item in enumerate(items) if isinstance(item, dict) and item["name"] == name]
    return found
