"""An overlay that cannot be read, or is refused, is named without what stands in it: it may hold secrets."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from pathlib import Path
from typing import Any, cast

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from activities.clients.kubernetes.objects import Applying
from activities.clients.kustomize import Kustomize
from activities.clients.ports import RequestRefusedError
from estate.base import Region

_SECRET = "correct-horse"
_BROKEN = {
    "a tab": (f"password: {_SECRET}\n\tx: {_SECRET}: y\n", "in line 2"),
    "a colon": (f"a: 1\npassword: {_SECRET}: {_SECRET}\n", "in line 2"),
    "no such day": (f"password: {_SECRET}\nat: 2026-99-99\n", "ValueError"),
}


@pytest.mark.parametrize("what", _BROKEN)
async def test_what_is_no_yaml_is_named_without_its_content(tmp_path: Path, what: str) -> None:
    text, where = _BROKEN[what]
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(text, encoding="utf-8")
    with pytest.raises(RequestRefusedError, match="is no YAML") as refused:
        await Kustomize().render(str(rendered))
    told = "".join(traceback.format_exception(refused.value.__cause__ or refused.value, chain=bool(refused.value.__cause__)))
    assert (where in str(refused.value), _SECRET in str(refused.value), _SECRET in told) == (True, False, False)


async def test_a_long_overlay_does_not_keep_the_heartbeat_waiting(tmp_path: Path) -> None:
    one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"x": "y" * 50}}
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text("\n---\n".join([json.dumps(one, indent=1)] * 3000), encoding="utf-8")
    asked = asyncio.create_task(Kustomize().render(str(rendered)))
    beats, began = 0, time.monotonic()
    while not asked.done():
        await asyncio.sleep(0.005)
        beats += 1
    assert len(await asked) == 3000
    assert beats > 3, f"{beats} turns in {time.monotonic() - began:.2f} s"


class _Cluster:
    """Refuses whatever is applied, in words that quote it."""

    async def run(self, region: Region, what: str, call: Any) -> Any:  # noqa: ARG002
        return call(client.ApiClient(client.Configuration()))


@pytest.mark.parametrize(("kind", "shown"), [("Secret", False), ("ConfigMap", True)])
@pytest.mark.parametrize("status", [422, 500])
async def test_of_a_secret_only_status_and_reason_are_told(
    monkeypatch: pytest.MonkeyPatch, kind: str, shown: bool, status: int  # noqa: FBT001
) -> None:  # fmt: skip
    def request(_: object, verb: str, path: str, **__: Any) -> Any:  # noqa: ARG001
        if verb == "get":
            found = {"resources": [{"name": "any", "kind": kind, "namespaced": True}]}
            return type("Answer", (), {"data": json.dumps(found)})
        error = ApiException(status=status, reason="Unprocessable Entity")
        error.body = json.dumps({"message": f"Invalid value: {_SECRET}"})
        raise error

    monkeypatch.setattr(DynamicClient, "request", request)
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "data": {"password": _SECRET}}
    region = Region.model_validate({"location": "eastus", "namespace": "aiagent"})
    with pytest.raises((RequestRefusedError, ApiException)) as refused:
        await Applying(cast("Any", _Cluster())).applied(region, (one,))
    told = "".join(traceback.format_exception(refused.value))
    assert (f"Invalid value: {_SECRET}" in told, f"{kind} x" in told or status == 500) == (shown, True)
