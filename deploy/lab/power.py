"""The lab's power interface: tells whether a node runs, and ends it. ``python -m deploy.lab.power LAB``, inside the hub.

It listens at the hub's own address, so that the lab's pods reach it and the machine's own network does not. What it says
is proof: a node's first process is the first of its own pid namespace, which the kernel lets go of only when every other
process in it has ended; the outer process, its parent, ends after that.
"""

from __future__ import annotations

import asyncio
import hmac
import sys

from aiohttp import web

from deploy.lab.names import HUB_ADDRESS, NODES, POWER_PORT, Lab
from deploy.lab.node import power_off
from deploy.lab.processes import pid_of
from deploy.lab.workload import secret_of


def make_app(lab: Lab) -> web.Application:
    """Return the interface to the power of ``lab``'s nodes."""

    async def state(request: web.Request) -> web.Response:
        return _told(lab, _node(lab, request))

    async def off(request: web.Request) -> web.Response:
        node = _node(lab, request)
        await asyncio.to_thread(power_off, lab, node)
        return _told(lab, node)

    app = web.Application()
    app.add_routes([web.get("/machines/{node}", state), web.post("/machines/{node}/off", off)])
    return app


def _told(lab: Lab, node: str) -> web.Response:
    runs = any(pid_of(lab, name) is not None for name in (node, f"{node}-unshare"))
    return web.json_response({"state": "running" if runs else "stopped"})


def _node(lab: Lab, request: web.Request) -> str:
    """Return the node that is asked for. HTTPUnauthorized without the lab's token, HTTPNotFound for another name."""
    if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {_token(lab)}"):
        raise web.HTTPUnauthorized
    node = request.match_info["node"]
    if node not in NODES:
        raise web.HTTPNotFound
    return node


def _token(lab: Lab) -> str:
    """Return the token. HTTPServiceUnavailable while the lab has none yet."""
    try:
        return secret_of(lab, "power-token", "token")
    except (OSError, KeyError, ValueError):
        raise web.HTTPServiceUnavailable from None


if __name__ == "__main__":
    web.run_app(make_app(Lab(sys.argv[1])), host=HUB_ADDRESS, port=POWER_PORT, access_log=None, print=None)
