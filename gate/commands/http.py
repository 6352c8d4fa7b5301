"""Serves ``gate.api`` over HTTP."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ValidationError

from gate import api
from gate.commands.fence import Fencing
from gate.commands.handler import RefusedError
from gate.commands.join import Joining
from gate.commands.keeping import Keeping
from gate.commands.leave import Leaving
from gate.commands.revert import Reverting
from gate.loop.core import Gate
from gate.postgres.controldata import ProgramError

_STATUS = {api.ProblemKind.NOT_SERVING: 503, api.ProblemKind.API_UNREACHABLE: 503}
_CONFLICT = 409


def application(gate: Gate) -> web.Application:
    """Return the gate's HTTP application."""
    fencing, leading, joining, keeping = Fencing(gate), Reverting(gate), Joining(gate), Keeping(gate)
    app = web.Application(middlewares=[_guard(gate)])
    keeping.begin()
    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", lambda _: _readiness(gate))
    app.router.add_get("/metrics", lambda _: _metrics(gate))
    app.router.add_get("/v1/status", lambda request: _answer(_status(gate, request)))
    app.router.add_get("/v1/kept", lambda _: _answer(keeping.show()))
    app.router.add_post("/v1/discard", _command(api.DiscardCommand, keeping.discard))
    app.router.add_post("/v1/checkpoint", _command(api.Command, fencing.checkpoint))
    app.router.add_post("/v1/fence", _command(api.FenceCommand, fencing.fence))
    app.router.add_post("/v1/unfence", _command(api.Command, fencing.unfence))
    app.router.add_post("/v1/seal", _command(api.SealCommand, fencing.revoke))
    app.router.add_post("/v1/prepare", _command(api.PromoteCommand, leading.prepare))
    app.router.add_post("/v1/promote", _command(api.PromoteCommand, leading.promote))
    app.router.add_post("/v1/revert", _command(api.RevertCommand, leading.revert))
    app.router.add_post("/v1/leave", _command(api.LeaveCommand, Leaving(gate).leave))
    app.router.add_post("/v1/adopt", _command(api.AdoptCommand, joining.adopt))
    app.router.add_post("/v1/rejoin", _command(api.Command, joining.rejoin))
    return app


async def _live(_: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def _readiness(gate: Gate) -> web.Response:
    return web.Response(status=200 if gate.ready else 503, text=f"{gate.doing}\n")


async def _status(gate: Gate, request: web.Request) -> BaseModel:
    asks = request.headers.get(api.MEMBER_HEADER, "")
    gate.observer.note_question(asks)
    if asks == api.WATCH:
        gate.handover.note_look()
    return gate.status()


async def _answer(work: Awaitable[BaseModel]) -> web.Response:
    return _json(await work)


def _json(body: BaseModel, status: int = 200) -> web.Response:
    return web.Response(status=status, text=body.model_dump_json(), content_type="application/json")


C = TypeVar("C", bound=api.Command)


def _command(model: type[C], run: Callable[[C], Awaitable[BaseModel]]) -> Callable[..., Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            command = model.model_validate_json(await request.text())
        except ValidationError as error:
            fault = error.errors()[0]
            message = f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['msg']}"
            return _json(api.Problem(kind=api.ProblemKind.BAD_REQUEST, message=message, epoch=0), 422)
        try:
            return _json(await run(command))
        except RefusedError as refused:
            return _json(refused.problem, _STATUS.get(refused.problem.kind, _CONFLICT))
        except (ProgramError, OSError) as error:
            problem = api.Problem(kind=api.ProblemKind.NOT_SERVING, message=str(error), epoch=command.epoch)
            return _json(problem, _STATUS[problem.kind])

    return handle


def _guard(gate: Gate) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/v1/"):
            token = gate.settings.token_file.read_text(encoding="utf-8").strip()
            given = request.headers.get("Authorization", "")
            if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                message = "the bearer token is missing or wrong; compare the gate's token Secret with the estate's reference"
                return _json(api.Problem(kind=api.ProblemKind.UNAUTHORIZED, message=message, epoch=0), 401)
            own, meant = f"{gate.settings.cluster}/{gate.settings.member}", request.headers.get(api.MEANT_HEADER, "")
            if meant not in {"", own}:  # an older version does not say it
                message = f"this is the gate of {own}; that of {meant} was meant"
                return _json(api.Problem(kind=api.ProblemKind.WRONG_MEMBER, message=message, epoch=0), 421)
        return await handler(request)

    return guard


async def _metrics(gate: Gate) -> web.Response:
    registry, status = CollectorRegistry(), gate.status()
    figures = {
        "gate_epoch": status.epoch,
        "gate_fenced": int(status.fenced_at_epoch is not None),
        "gate_leads": int(status.role is api.Role.PRIMARY),
        "gate_ready": int(status.ready),
        "gate_lag_bytes": status.lag_bytes if status.lag_bytes is not None else float("nan"),
        "gate_disk_free_bytes": status.disk_free_bytes or 0,
        "gate_kept_aside_bytes": status.kept_aside_bytes,
        "gate_synchronous_standbys": len(gate.record.sync_members) if gate.record else 0,
    }
    for name, value in figures.items():
        Gauge(name, name.replace("_", " "), ["member"], registry=registry).labels(status.member).set(value)
    return web.Response(body=generate_latest(registry), content_type="text/plain")
