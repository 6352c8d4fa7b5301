"""Overlays: rendered by ``kubectl kustomize``, or read from a file that it has rendered. Nothing is asked of a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import yaml

from activities.clients.ports import RequestRefusedError
from activities.clients.region_ports import Objects

_WITHIN_SECONDS = 30.0
_MOST_WORDS = 400
_CODE = "Overlay"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads 75 KB in a tenth of the 0.5 s that the one in Python takes; not every build of the library has it."""


class Kustomize:
    """Runs ``kubectl``."""

    def __init__(self, kubectl: str = "kubectl") -> None:
        """Run the program ``kubectl``: its path, or a name to be found by ``PATH``."""
        self._kubectl = kubectl

    async def render(self, path: str) -> Objects:
        """Return the objects. RequestRefusedError: it cannot be rendered, in the program's own words."""
        if await asyncio.to_thread(Path(path).is_file):
            return await asyncio.to_thread(lambda: _objects(path, _read(path)))
        if not await asyncio.to_thread(Path(path).is_dir):
            raise RequestRefusedError(f"overlay {path}: there is no such folder or file on this worker: mount it", _CODE)
        return await asyncio.to_thread(_objects, path, await self._kustomize(path))

    async def _kustomize(self, path: str) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                self._kubectl, "kustomize", path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
        except OSError as error:
            words = f"overlay {path}: {self._kubectl} cannot be run ({error.strerror}): set FAILOVER_KUBECTL to its path"
            raise RequestRefusedError(f"{words}, or name a file that it has rendered", _CODE) from error
        try:
            async with asyncio.timeout(_WITHIN_SECONDS):
                out, complaint = await process.communicate()
        except TimeoutError:
            raise RequestRefusedError(f"overlay {path}: not rendered within {_WITHIN_SECONDS:g} s", _CODE) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            words = complaint.decode(errors="replace").strip()[-_MOST_WORDS:]
            raise RequestRefusedError(f"overlay {path}: {' '.join(words.split())}", _CODE)
        return out.decode()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestRefusedError(f"overlay {path}: cannot be read: {error}", _CODE) from error


def _fault(error: Exception) -> str:
    """Return what is wrong and where, without what stands there."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" in line {mark.line + 1}" if mark else ""
    return f"{problem or type(error).__name__}{where}"[:_MOST_WORDS]


def _objects(path: str, text: str) -> Objects:
    try:
        found: list[Any] = [one for one in yaml.load_all(text, Loader=_LOADER) if one is not None]
    except (yaml.YAMLError, ValueError) as error:
        # The library's own words quote the line, which may be a secret's: neither they nor their cause leave this place.
        raise RequestRefusedError(f"overlay {path}: what was rendered is no YAML: {_fault(error)}", _CODE) from None
    for number, one in enumerate(found, 1):
        meta = (one.get("metadata") or {}) if isinstance(one, dict) else {}
        if not (meta.get("name") and one.get("kind") and one.get("apiVersion")):
            raise RequestRefusedError(f"overlay {path}: object {number} has no apiVersion, kind or name", _CODE)
    if not found:
        raise RequestRefusedError(f"overlay {path}: it has no objects", _CODE)
    return tuple(found)
