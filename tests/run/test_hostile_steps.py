"""Whoever can schedule a step chooses neither where it goes nor which secret it carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.detection.models import witness_queue
from activities.run.declare import Declared
from estate.base import Target
from tests.architecture.registered import activities, functions
from tests.postgres.bench import write_estate
from tests.run.hostile import request_of, targets
from workers import composition
from workers.settings import WorkerSettings

_OURS, _WITNESS = "orders", "east"
_ONCE = RetryPolicy(maximum_attempts=1)


@workflow.defn(name="evil")
class Evil:
    """Runs on a queue of its own, and has another queue's workers take a step."""

    @workflow.run
    async def run(self, step: str, queue: str, request: Any) -> str:
        try:
            await workflow.execute_activity(
                step, request, task_queue=queue, start_to_close_timeout=timedelta(seconds=5), retry_policy=_ONCE
            )
        except ActivityError as error:
            return error.cause.type or "" if isinstance(error.cause, ApplicationError) else type(error.cause).__name__
        return "done"


def _requests() -> dict[str, Any]:
    """Return registered name → type of the request, of every step."""
    found: dict[str, Any] = {}
    for _, function in functions("activities"):
        if definition := activity._Definition.from_callable(function):
            hints = get_type_hints(function)
            request = next(hint for name, hint in hints.items() if name != "return")
            said: Declared | None = getattr(function, "__step__", None)
            earlier = activity._Definition.must_from_callable(said.earlier) if said and said.earlier else definition
            found |= {str(definition.name): request, str(earlier.name): request}
    return found


REQUESTS = _requests()


def _holds_target(kind: Any) -> bool:
    return "digest" in str(request_of(kind, {one: {"digest": 1} for one in Target.kinds.values()}))


@asynccontextmanager
async def _trap() -> AsyncIterator[tuple[int, list[str]]]:
    """Listen on loopback; yield the port, and who has come."""
    visits: list[str] = []

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(repr(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], visits


def test_every_registered_step_is_tried() -> None:
    assert REQUESTS.keys() == activities().keys()
    assert len(REQUESTS) > 50


@pytest.mark.parametrize("name", [_OURS, "not-ours"])
@pytest.mark.parametrize("by_reference", [False, True], ids=["whole", "by reference"])
async def test_no_step_goes_where_its_input_says(
    temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, by_reference: bool
) -> None:
    secret, elsewhere, read = tmp_path / "secret", tmp_path / "elsewhere", list[str]()
    secret.write_text("pretend", encoding="utf-8")
    monkeypatch.setattr(Path, "read_text", _noting(Path.read_text, read))
    write_estate(tmp_path / "estate.yaml", _OURS, witnesses=[_WITNESS])
    queue, ends = f"ours-{uuid4().hex[:8]}", {}
    async with _trap() as (port, visits), _served(temporal, tmp_path / "estate.yaml", queue):
        hostile: dict[Any, Any] = targets(name, "127.0.0.1", port, f"file:{secret}")
        if by_reference:
            hostile = {kind: {"kind": kind.KIND, "name": name, "pool": "workers", "digest": "0" * 32} for kind in hostile}
        for step, kind in REQUESTS.items():
            request = request_of(kind, hostile)
            if step == "records.keep":
                report = {
                    "started_at": "2026-01-01T00:00:00Z",
                    "workflow_id": "../..",
                    "run_id": "/../../x",
                    "workflow": "x",
                }
                request = {"records": str(elsewhere), "report": report}
            its_queue = witness_queue(queue, _WITNESS) if step == "watch.look" else queue
            ends[step] = await temporal.execute_workflow(
                "evil", args=[step, its_queue, request], id=f"{uuid4()}", task_queue=f"evil-{queue}", result_type=str
            )

    assert (visits, [path for path in read if path == str(secret)], elsewhere.exists()) == ([], [], False)
    with_target = {step for step, kind in REQUESTS.items() if _holds_target(kind)}
    if name == _OURS:
        with_target.remove("watch.look")  # a witness only looks, and looks at ours
    assert len(with_target) > 40
    assert {step: end for step, end in ends.items() if step in with_target and end != "BadInput"} == {}


def _noting(method: Any, read: list[str]) -> Any:
    def read_text(path: Path, *args: Any, **more: Any) -> str:
        read.append(str(path))
        return str(method(path, *args, **more))

    return read_text


@asynccontextmanager
async def _served(client: Client, estate: Path, queue: str) -> AsyncIterator[None]:
    """Let a worker and a witness as they are shipped serve ``queue``, and somebody else one beside it."""
    worker = composition.make_worker(client, WorkerSettings(estate=estate, task_queue=queue, grace=0))
    witness = composition.make_witness(client, WorkerSettings(estate=estate, task_queue=queue, witness=_WITNESS))
    evil = Worker(client, task_queue=f"evil-{queue}", workflows=[Evil], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker, witness, evil:
        yield
