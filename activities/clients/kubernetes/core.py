"""The Kubernetes API, through the official client.

Its calls block, so each runs in a thread; a call that was given up goes on there for at most ``TIMEOUT`` and is harmless:
every write carries a ``resourceVersion`` or repeats safely.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from activities.clients.kubernetes.podstate import main_container, pod_fact, rollout_of
from activities.clients.kubernetes.silence import why_silent
from activities.clients.ports import ConflictError, ForbiddenError, MissingError, Rollout, UnreachableError
from activities.postgres.models.survey import PodFact
from estate.base import Region

TIMEOUT = (2.0, 5.0)
"""Seconds to connect and to answer."""
_THREADS = 16
MANAGER = "failover"
MERGE = "application/merge-patch+json"
_ANSWERS: dict[int, type[Exception]] = {404: MissingError, 403: ForbiddenError, 409: ConflictError}
RESTART_MARK = "failover/restarted-for"


class KubernetesClient:
    """One client per region: by kubeconfig context, or the cluster that the worker runs in."""

    def __init__(self) -> None:
        """Connect on first use, in threads of its own: a look takes six at once, and the loop has no more on two cores."""
        self._clients: dict[str | None, client.ApiClient] = {}
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="kubernetes")

    async def service_address(self, region: Region, service: str) -> str | None:
        """Return the Service's cluster address, if it has one."""
        address = ((await self.service(region, service)).get("spec") or {}).get("clusterIP")
        return address if address and address != "None" else None

    async def pods(self, region: Region, names: tuple[str, ...]) -> dict[str, PodFact]:
        """Return the pods that exist among ``names``."""
        found = await asyncio.gather(*(self._pod(region, name) for name in names))
        return {fact.name: fact for fact in found if fact is not None}

    async def logs(self, region: Region, pod: str, lines: int, *, container: str = "", previous: bool = False) -> str:
        """Return the last lines of a container, else of the pod's main one; ``previous``: of the one that ended last."""

        def call(api: client.ApiClient) -> str:
            core, space = client.CoreV1Api(api), region.namespace
            of = container or main_container(plain(api, core.read_namespaced_pod(pod, space, _request_timeout=TIMEOUT)))
            text = core.read_namespaced_pod_log(
                pod, space, container=of, tail_lines=lines, previous=previous, _request_timeout=TIMEOUT
            )
            return str(text)

        text: str = await self.run(region, f"get logs of Pod {pod}", call)
        return text

    async def delete_pod(self, region: Region, namespace: str, pod: str, uid: str, *, at_once: bool) -> None:
        """Delete the pod with this UID; one that is gone is success. ``at_once`` waits for no kubelet."""
        options = client.V1DeleteOptions(
            preconditions=client.V1Preconditions(uid=uid), grace_period_seconds=0 if at_once else None
        )
        with contextlib.suppress(MissingError, ConflictError):  # gone, or another one of that name
            await self.call(
                region,
                f"delete Pod {namespace}/{pod}",
                lambda api: client.CoreV1Api(api).delete_namespaced_pod(
                    pod, namespace, body=options, _request_timeout=TIMEOUT
                ),
            )

    async def endpoints(self, region: Region, service: str) -> tuple[str, ...]:
        """Return the pods that are ready behind ``service``, sorted."""
        slices = await self.call(
            region,
            f"list EndpointSlices of Service {service}",
            lambda api: client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
                region.namespace, label_selector=f"kubernetes.io/service-name={service}", _request_timeout=TIMEOUT
            ),
        )
        ready = {
            endpoint["targetRef"]["name"]
            for part in slices.get("items", [])
            for endpoint in part.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") and endpoint.get("targetRef")
        }
        return tuple(sorted(ready))

    async def endpoints_version(self, region: Region) -> str | None:
        """Return a text that changes whenever any endpoint in the region's namespace does; ``None`` while one terminates."""
        slices = await self.call(
            region,
            "list EndpointSlices",
            lambda api: client.DiscoveryV1Api(api).list_namespaced_endpoint_slice(
                region.namespace, _request_timeout=TIMEOUT
            ),
        )
        parts = slices.get("items", [])
        conditions = (one.get("conditions") or {} for part in parts for one in part.get("endpoints") or [])
        if any(condition.get("terminating") for condition in conditions):
            return None
        return " ".join(sorted(f"{part['metadata']['name']}={part['metadata']['resourceVersion']}" for part in parts))

    async def pods_of(self, region: Region, deployment: str) -> dict[str, str]:
        """Return pod → address of the Deployment's pods that have one."""
        pods = await self._pods_of(region, deployment)
        return {one["metadata"]["name"]: one["status"]["podIP"] for one in pods if (one.get("status") or {}).get("podIP")}

    async def untaken_pods(self, region: Region, deployment: str) -> dict[str, str]:
        """Return pod → node of the Deployment's pods that a node was given and that its kubelet has not taken up."""
        return {
            one["metadata"]["name"]: one["spec"]["nodeName"]
            for one in await self._pods_of(region, deployment)
            if one["spec"].get("nodeName") and not (one.get("status") or {}).get("startTime")
        }

    async def _pods_of(self, region: Region, deployment: str) -> list[dict[str, Any]]:
        return await self.selected_pods(region, await self.deployment(region, deployment))

    async def selected_pods(self, region: Region, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the pods that a Deployment selects, as plain JSON."""
        labels = (deployment["spec"].get("selector") or {}).get("matchLabels") or {}
        pods = await self.call(
            region,
            f"list Pods of Deployment {deployment['metadata']['name']}",
            lambda api: client.CoreV1Api(api).list_namespaced_pod(
                region.namespace,
                label_selector=",".join(f"{key}={value}" for key, value in labels.items()),
                _request_timeout=TIMEOUT,
            ),
        )
        items: list[dict[str, Any]] = pods.get("items", [])
        return items

    async def restart_deployment(self, region: Region, deployment: str, mark: str) -> None:
        """Start a rolling restart, once per ``mark``: a second call with the same mark changes nothing."""
        body = {"spec": {"template": {"metadata": {"annotations": {RESTART_MARK: mark}}}}}
        await self.call(
            region,
            f"patch Deployment {deployment}",
            lambda api: client.AppsV1Api(api).patch_namespaced_deployment(
                deployment, region.namespace, body, field_manager=MANAGER, _content_type=MERGE, _request_timeout=TIMEOUT
            ),
        )

    async def deployment_progress(self, region: Region, deployment: str) -> Rollout:
        """Return how far the Deployment's rollout is, and what holds it up."""
        return rollout_of(await self.deployment(region, deployment))

    async def deployment(self, region: Region, deployment: str) -> dict[str, Any]:
        """Return a Deployment as plain JSON."""
        return await self.call(
            region,
            f"get Deployment {deployment}",
            lambda api: client.AppsV1Api(api).read_namespaced_deployment(
                deployment, region.namespace, _request_timeout=TIMEOUT
            ),
        )

    async def service(self, region: Region, service: str) -> dict[str, Any]:
        """Return a Service as plain JSON."""
        return await self.call(
            region,
            f"get Service {service}",
            lambda api: client.CoreV1Api(api).read_namespaced_service(service, region.namespace, _request_timeout=TIMEOUT),
        )

    async def _pod(self, region: Region, name: str) -> PodFact | None:
        try:
            pod = await self.call(
                region,
                f"get Pod {name}",
                lambda api: client.CoreV1Api(api).read_namespaced_pod(name, region.namespace, _request_timeout=TIMEOUT),
            )
        except MissingError:
            return None
        return pod_fact(pod)

    async def call(self, region: Region, what: str, call: Callable[[client.ApiClient], Any]) -> dict[str, Any]:
        """Return the answer as plain JSON."""
        answer: dict[str, Any] = await self.run(region, what, lambda api: plain(api, call(api)))
        return answer

    async def run(self, region: Region, what: str, call: Callable[[client.ApiClient], Any]) -> Any:  # noqa: ANN401
        """Return what ``call`` returns, in a thread; its errors become those of ``ports``."""
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: call(self._client(region.context)))
        except ApiException as error:
            _raise(error, what, region)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(
                f"{what}: the API server of {region.location} does not answer: {why_silent(error)}"
            ) from error

    def _client(self, context: str | None) -> client.ApiClient:
        if context not in self._clients:
            self._clients[context] = make_client(context)
        return self._clients[context]


def plain(api: client.ApiClient, found: object) -> dict[str, Any]:
    """Return what the client's library made of an answer as the JSON that it was."""
    answer: dict[str, Any] = api.sanitize_for_serialization(found)  # type: ignore[no-untyped-call]
    return answer


def make_client(context: str | None) -> client.ApiClient:
    """Return a client of a kubeconfig context; ``None``: of the cluster that the worker runs in."""
    settings = client.Configuration()
    try:
        if context is None:
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(context=context, client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        where = f"kubeconfig context {context}" if context else "the worker's own service account"
        raise UnreachableError(f"{where} cannot be used: {error}") from error
    settings.retries = False
    return client.ApiClient(settings)


def _raise(error: ApiException, what: str, region: Region) -> NoReturn:
    try:
        words = json.loads(error.body or "{}").get("message") or error.reason
    except (ValueError, AttributeError):
        words = error.reason
    kind = _ANSWERS.get(error.status or 0, UnreachableError)
    raise kind(f"{what} in namespace {region.namespace}: {words}") from error
