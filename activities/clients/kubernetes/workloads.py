"""Deployments and their pods through the Kubernetes API, and the Services in front of them through HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from activities.clients.kubernetes.addresses import Addresses
from activities.clients.kubernetes.core import TIMEOUT, KubernetesClient, make_client
from activities.clients.kubernetes.podstate import event_line, pod_seen
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError, WriteFailedError
from activities.pods.models import PodSeen, Trouble
from estate.workloads import WorkloadTarget

_EVENTS, _LOG_LINES, _LOG_CHARACTERS = 8, 20, 4000
_ASK_SECONDS, _EXEC_SECONDS = 2.0, 10
_NOT_TO_BE_HAD = (UnreachableError, ForbiddenError, MissingError)
_END_MAIN_PROCESS = r"""
caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' /proc/1/status 2>/dev/null)
if [ -n "$caught" ] && [ $(( 0x$caught >> 14 & 1 )) = 0 ]; then
  echo 'its first process ignores SIGTERM: every other process killed with SIGKILL'
  kill -9 -1
else
  echo 'kill 1'
  kill 1
fi
"""
"""The kernel keeps every signal from a container's first process that it does not catch, SIGKILL from inside included.
One whose processes all die ends by itself, where it is a supervisor."""


class WorkloadsClient:
    """Speaks for any number of workloads."""

    def __init__(self, kubernetes: KubernetesClient, addresses: Addresses) -> None:
        """Ask through ``kubernetes``; find Services by ``addresses``."""
        self._kubernetes, self._addresses = kubernetes, addresses

    async def pods(self, target: WorkloadTarget) -> tuple[int, tuple[PodSeen, ...]]:
        """Return (wanted pods, the Deployment's pods) without those that leave within their grace."""
        deployment = await self._kubernetes.deployment(target.region, target.workload.deployment)
        pods = await self._kubernetes.selected_pods(target.region, deployment)
        now = datetime.now(UTC)
        seen = [fact for fact in (pod_seen(pod, now) for pod in pods) if fact is not None]
        wanted = deployment["spec"].get("replicas")
        return 1 if wanted is None else int(wanted), tuple(sorted(seen, key=lambda fact: fact.name))

    async def evidence(self, target: WorkloadTarget, pod: PodSeen) -> PodSeen:
        """Return ``pod`` with its latest events and its last log lines; what cannot be had is left out."""
        events, log_tail = await asyncio.gather(self._events(target, pod), self._log_tail(target, pod))
        return pod.model_copy(update={"events": events, "log_tail": log_tail})

    async def _events(self, target: WorkloadTarget, pod: PodSeen) -> tuple[str, ...]:
        try:
            found = await self._kubernetes.call(
                target.region,
                f"list Events of Pod {pod.name}",
                lambda api: client.CoreV1Api(api).list_namespaced_event(
                    target.region.namespace, field_selector=f"involvedObject.uid={pod.uid}", _request_timeout=TIMEOUT
                ),
            )
        except _NOT_TO_BE_HAD:
            return ()
        lines = sorted(event_line(event) for event in found.get("items", []))
        return tuple(line for _, line in lines[-_EVENTS:])

    async def _log_tail(self, target: WorkloadTarget, pod: PodSeen) -> str:
        if pod.trouble in {Trouble.CANNOT_START, Trouble.UNSCHEDULED, Trouble.NODE_SILENT}:
            return ""
        for previous in (True, False) if pod.trouble is Trouble.CRASHING else (False,):
            try:
                text = await self._kubernetes.logs(
                    target.region, pod.name, _LOG_LINES, container=pod.container, previous=previous
                )
            except _NOT_TO_BE_HAD:
                continue
            return text[-_LOG_CHARACTERS:]
        return ""

    async def end_main_process(self, target: WorkloadTarget, pod: PodSeen) -> str:
        """End the first process of a pod's container; return how. MissingError without such a pod."""

        def call(_: client.ApiClient) -> str:
            api = client.CoreV1Api(make_client(target.region.context))  # stream() changes its client while it runs
            try:
                return str(
                    stream(
                        api.connect_get_namespaced_pod_exec,
                        pod.name,
                        target.region.namespace,
                        container=pod.container,
                        command=["sh", "-c", _END_MAIN_PROCESS],
                        stdout=True,
                        stderr=True,
                        _request_timeout=_EXEC_SECONDS,
                    )
                )
            except ApiException as error:
                raise _told(error, pod.name) from error

        said = str(await self._kubernetes.run(target.region, f"exec in Pod {pod.name}", call)).strip()
        return said.splitlines()[0] if said else "kill 1"

    async def delete(self, target: WorkloadTarget, pod: PodSeen, *, at_once: bool) -> None:
        """Delete this very pod (by its UID); one that is gone is success. ``at_once`` waits for no kubelet."""
        region = target.region
        await self._kubernetes.delete_pod(region, region.namespace, pod.name, pod.uid, at_once=at_once)

    async def ask(self, target: WorkloadTarget) -> None:
        """Ask the Service on a new connection."""
        workload = target.workload
        if workload.service is None:
            return
        address = await self._addresses.of_service(target.region, workload.service)
        url = f"http://{address}:{workload.port}{workload.path}"
        within = aiohttp.ClientTimeout(total=_ASK_SECONDS)
        try:
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(connector=connector, timeout=within) as session, session.get(url) as answer:
                if not answer.ok:
                    text = (await answer.text())[:200]
                    raise WriteFailedError(str(answer.status), f"{workload.service} answers {answer.status}: {text}")
        except TimeoutError as error:
            raise UnreachableError(f"{workload.service} does not answer within {_ASK_SECONDS:g} s") from error
        except (aiohttp.ClientConnectorError, OSError) as error:
            raise UnreachableError(f"{workload.service} takes no connection") from error
        except aiohttp.ClientError as error:
            raise WriteFailedError(type(error).__name__, f"{workload.service} breaks the connection: {error}") from error


def _told(error: ApiException, pod: str) -> Exception:
    """Return what a refused handshake means; its status is in the WebSocket library's own error."""
    words, status = str(error.reason or error), getattr(error.__context__, "status_code", error.status)
    if status == HTTPStatus.FORBIDDEN:
        return ForbiddenError(f"may not exec in Pod {pod}: the worker's Role lacks create and get on pods/exec")
    if status == HTTPStatus.NOT_FOUND:
        return MissingError(f"Pod {pod} does not exist")
    return UnreachableError(f"exec in Pod {pod}: {words[:200]}")
