"""Lists what a cluster has, for ``failover init``: GET requests only, and none for a Secret.

The answers are the API server's own JSON. A list is read in pages of 500 objects, so that one of thousands of pods is no
single long answer. Whoever may not list a kind gets a ``ForbiddenError`` that names it; the caller asks a person instead.
"""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from typing import Any, NoReturn

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient

from activities.clients.kubernetes.silence import why_silent
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError

TIMEOUT = (5.0, 30.0)
"""Seconds to connect and to answer: a person waits, and a list may be long."""
_PAGE = 500
_KINDS = {
    "nodes": ("/api/v1", "Nodes"),
    "pods": ("/api/v1", "Pods"),
    "services": ("/api/v1", "Services"),
    "configmaps": ("/api/v1", "ConfigMaps"),
    "statefulsets": ("/apis/apps/v1", "StatefulSets"),
    "deployments": ("/apis/apps/v1", "Deployments"),
    "poddisruptionbudgets": ("/apis/policy/v1", "PodDisruptionBudgets"),
    "ingresses": ("/apis/networking.k8s.io/v1", "Ingresses"),
}
"""What may be read at all: resource → path of its group, and its name for people."""


class NoClusterError(Exception):
    """No kubeconfig, or one that does not have the context; one sentence with the remedy."""


class ClusterReader:
    """One cluster, by a context of the kubeconfig; ``None``: its current context, or the cluster that this runs in."""

    def __init__(self, context: str | None, *, page: int = _PAGE) -> None:
        """Read the kubeconfig. NoClusterError: there is none, or not with that context."""
        self._page = page
        self.context, self.namespace = "", ""
        """The context that is used, and the namespace that it names; empty: none."""
        # Made without its discovery, which would ask for everything and keep it in a file.
        self._asking: Any = DynamicClient(client.ApiClient(self._settings(context)), discoverer=lambda *_: None)  # type: ignore[no-untyped-call]

    def objects(self, resource: str, namespace: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind, in one namespace or in all.

        Raises:
            ForbiddenError: the account may not list them.
            UnreachableError: no answer, or one that is none.

        """
        found: list[dict[str, Any]] = []
        more: str | None = ""
        while more is not None:
            asked = [("limit", str(self._page)), *([("continue", more)] if more else [])]
            answer = self._get(_path(resource, namespace), f"list {_where(resource, namespace)}", asked)
            found += answer.get("items") or []
            more = (answer.get("metadata") or {}).get("continue") or None
        return found

    def settings(self, namespace: str, name: str) -> dict[str, str]:
        """Return what a ConfigMap holds. ForbiddenError, UnreachableError: as ``objects``. MissingError: there is none."""
        what = f"read ConfigMap {name} of namespace {namespace}"
        found: dict[str, str] = self._get(f"{_path('configmaps', namespace)}/{name}", what, []).get("data") or {}
        return found

    def _get(self, path: str, what: str, query: list[tuple[str, str]]) -> dict[str, Any]:
        try:
            said = self._asking.request(
                "get", path, serialize=False, _request_timeout=TIMEOUT, header_params={}, query_params=query
            )
        except ApiException as error:
            self._refused(error, what)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            where = self._asking.client.configuration.host
            raise UnreachableError(f"the API server at {where} does not answer: {why_silent(error)}") from error
        answer: dict[str, Any] = json.loads(said.data)
        return answer

    def _refused(self, error: ApiException, what: str) -> NoReturn:
        if error.status == HTTPStatus.FORBIDDEN:
            raise ForbiddenError(f"context {self.context or 'of this pod'} may not {what}") from error
        if error.status == HTTPStatus.NOT_FOUND:
            raise MissingError(f"cannot {what}: there is none") from error
        if error.status == HTTPStatus.UNAUTHORIZED:
            raise UnreachableError(
                f"the API server does not know the account of context {self.context} (401); log in again"
            ) from error
        raise UnreachableError(f"the API server cannot {what}: it answers {error.status}; try again") from error

    def _settings(self, context: str | None) -> client.Configuration:
        settings = client.Configuration()
        try:
            if context is None and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
            else:
                self._take(context, settings)
        except (config.ConfigException, yaml.YAMLError, OSError, LookupError, TypeError, AttributeError) as error:
            words = " ".join(str(error).split())[:300]
            raise NoClusterError(f"kubeconfig: {_files()} cannot be used: {words}; see kubectl config view") from error
        if not settings.verify_ssl:  # the kubeconfig says so; a warning for each request says no more
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        settings.retries = False
        return settings

    def _take(self, context: str | None, settings: client.Configuration) -> None:
        merged = config.kube_config.KubeConfigMerger(_files()).config  # type: ignore[no-untyped-call]
        if merged is None:
            raise NoClusterError(
                f"kubeconfig: there is none at {_files()}; set KUBECONFIG, or copy your cluster's file there"
            )
        content: dict[str, Any] = merged.value
        known = {str(one["name"]): one.value.get("context") or {} for one in content["contexts"]}
        has = f"it has {', '.join(sorted(known)) or 'none'}"
        self.context = context or str(content.get("current-context") or "")
        if not self.context:
            raise NoClusterError(f"context: missing, and the kubeconfig has no current one; give --context; {has}")
        if self.context not in known:
            raise NoClusterError(f"context: the kubeconfig has no {self.context!r}; {has}")
        self.namespace = str(known[self.context].get("namespace") or "")
        config.load_kube_config(_files(), self.context, settings)  # type: ignore[no-untyped-call]


def _files() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _path(resource: str, namespace: str) -> str:
    group, _ = _KINDS[resource]
    return f"{group}/namespaces/{namespace}/{resource}" if namespace else f"{group}/{resource}"


def _where(resource: str, namespace: str) -> str:
    kind = _KINDS[resource][1]
    if resource == "nodes":
        return kind
    return f"{kind} of namespace {namespace}" if namespace else f"{kind} of all namespaces"
