"""``failover worker``: serves procedures until it is told to end. Two or more side by side share the work.

It waits for Temporal instead of dying without it, and refuses to serve when the namespace lacks the search attributes
and it may not create them: a run would otherwise hang at its first step.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from estate.base import EstateError
from estate.loader import load_estate
from workers.composition import make_witness, make_worker
from workers.connection import ServerUnreachableError, connect
from workers.settings import WorkerSettings
from workflows.run.state import SEARCH_ATTRIBUTES

_USAGE = 2
_TRY_AGAIN_SECONDS = 1.0
_READY_SECONDS = 5.0
_ANSWERS_WITHIN = timedelta(seconds=5)
_log = logging.getLogger("failover.worker")


def main() -> int:
    """Run one worker; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)  # it tells every request with all its headers
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        fault = error.errors()[0]
        name = f"FAILOVER_{str(fault['loc'][0]).upper()}"
        remedy = (
            "set it to your estate file" if fault["type"] == "missing" else f"{fault['msg'].lower()}, got {fault['input']!r}"
        )
        print(f"worker: {name}: {remedy}", file=sys.stderr)  # noqa: T201
        return _USAGE
    _look_at_estate(settings.estate)
    return asyncio.run(_serve(settings))


def _look_at_estate(path: Path) -> None:
    """Say at once that the estate cannot be used. Serve all the same: runs under way have read it and must go on."""
    try:
        load_estate(path)
    except EstateError as error:
        _log.critical("%s; every run that begins is refused until it can be read (it is read again for each)", error)


async def _serve(settings: WorkerSettings) -> int:
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    starting = asyncio.create_task(_start(settings, _runtime(settings)))
    await asyncio.wait({starting, ended := asyncio.create_task(ending.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return 0
    client = starting.result()
    worker = make_witness(client, settings) if settings.witness else make_worker(client, settings)
    async with worker:
        _log.info("serves %s in namespace %s (pid %d)", worker.task_queue, client.namespace, os.getpid())
        showing = asyncio.create_task(_show_ready(client, settings.ready)) if settings.ready else None
        await ended
        if showing:
            showing.cancel()
        _log.info("asked to end: running steps get %g s", settings.grace)
    return 0


async def _show_ready(client: Client, file: Path) -> None:
    """Renew ``file`` while Temporal answers, and remove it while it does not. A process that hangs lets it grow old."""
    try:
        while True:
            try:
                await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_ANSWERS_WITHIN)
                _mark(file, ready=True)
            except RPCError:
                _mark(file, ready=False)
            await asyncio.sleep(_READY_SECONDS)
    finally:
        _mark(file, ready=False)


def _mark(file: Path, *, ready: bool) -> None:
    try:
        if ready:
            file.touch()
        else:
            file.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("cannot show whether it is ready: %s; see FAILOVER_READY", error)


def _runtime(settings: WorkerSettings) -> Runtime | None:
    if settings.metrics is None:
        return None
    metrics = PrometheusConfig(
        bind_address=settings.metrics, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    return Runtime(telemetry=TelemetryConfig(metrics=metrics))


async def _start(settings: WorkerSettings, runtime: Runtime | None) -> Client:
    said = ""
    while True:
        try:
            client = await connect(runtime)
            await ensure_search_attributes(client)
        except (ServerUnreachableError, RPCError) as error:
            if str(error) != said:
                said = str(error)
                _log.warning("%s; tries again every %g s (%s)", said, _TRY_AGAIN_SECONDS, settings.task_queue)
            await asyncio.sleep(_TRY_AGAIN_SECONDS)
        else:
            return client


async def ensure_search_attributes(client: Client) -> None:
    """Create the search attributes that runs are labelled with, where they are missing. Safe to repeat.

    Raises:
        RPCError: they are missing and may not be created; `temporal operator search-attribute create` by an operator.

    """
    namespace = client.namespace
    found = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    missing = {key.name for key in SEARCH_ATTRIBUTES} - set(found.custom_attributes)
    if missing:
        wanted = dict.fromkeys(sorted(missing), IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=wanted)
        )
