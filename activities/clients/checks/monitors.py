"""Asks Prometheus, Grafana and Application Insights over HTTP, whether anything is wrong. Changes nothing.

Redirects are not followed: a login page is no answer. The bearer is in no message.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from activities.clients.azure.access import AzureAccess
from activities.clients.checks.judged import by_alerts, by_rules, by_tables, by_vector, judged
from activities.clients.secrets import read_secret
from activities.run.errors import UnreachableError
from activities.run.models.checks import Looked
from estate.check_items import GrafanaItem, InsightsItem, PrometheusItem

_OK = 200
_SCOPE = "https://api.applicationinsights.io/.default"
_NOT_UNDERSTOOD = (KeyError, TypeError, AttributeError, IndexError, ValueError)


class PrometheusLook:
    """Of any number of Prometheus servers."""

    async def look(self, item: PrometheusItem, target: object) -> Looked:  # noqa: ARG002 - the item says whom
        """Return whether no alert fires, or the expression returns nothing. UnreachableError: no answer."""
        base = item.url.rstrip("/")
        if item.query:
            answer = await _asked(item, f"{base}/api/v1/query", params={"query": item.query})
            return _understood(lambda: by_vector(answer, item.query, base), base)
        answer = await _asked(item, f"{base}/api/v1/rules", params={"type": "alert"})
        return _understood(lambda: by_rules(answer, item.labels, base), base)


class GrafanaLook:
    """Of any number of Grafana servers."""

    async def look(self, item: GrafanaItem, target: object) -> Looked:  # noqa: ARG002 - the item says whom
        """Return whether no alert of Grafana's own Alertmanager is active. UnreachableError: no answer."""
        base = item.url.rstrip("/")
        shown = {"active": "true", "silenced": "false", "inhibited": "false"}
        answer = await _asked(item, f"{base}/api/alertmanager/grafana/api/v2/alerts", params=shown)
        return _understood(lambda: by_alerts(answer, item.labels, base), base)


class InsightsLook:
    """Of any number of Application Insights resources."""

    def __init__(self, access: AzureAccess | None = None) -> None:
        """Prove who asks by ``access``, where an item has no bearer of its own."""
        self._access = access or AzureAccess()

    async def look(self, item: InsightsItem, target: object) -> Looked:  # noqa: ARG002 - the item says whom
        """Return whether the query returns no row. UnreachableError: no answer."""
        base = item.url.rstrip("/")
        seconds = int(item.span.total_seconds())
        body = {"query": item.query, "timespan": f"PT{seconds}S"}
        bearer = read_secret(item.token) if item.token else await self._own()
        answer = await _asked(item, f"{base}/v1/apps/{item.app}/query", bearer=bearer, json=body)
        return _understood(lambda: by_tables(answer, f"{base} app {item.app}"), base)

    async def _own(self) -> str:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - a third of a second

        credential = self._access.credential()
        try:
            async with credential:
                return str((await credential.get_token(_SCOPE)).token)
        except AzureError as error:
            raise UnreachableError(f"no token of the worker's own identity: {type(error).__name__}") from error


def _understood(judge: Any, source: str) -> Looked:  # noqa: ANN401 - from nothing to what was seen
    try:
        looked: Looked = judge()
    except _NOT_UNDERSTOOD as error:
        return judged(source, f"its answer is not understood: {type(error).__name__} {str(error)[:100]}", met=None)
    return looked


async def _asked(item: Any, url: str, *, bearer: str = "", **how: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """Return the JSON of an answer with status 200: POST where there is a body. UnreachableError: there is none."""
    token = bearer or (read_secret(item.token) if item.token else "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    within = aiohttp.ClientTimeout(total=item.within.total_seconds())
    connector = aiohttp.TCPConnector(force_close=True)
    method = "POST" if "json" in how else "GET"
    try:
        async with (
            aiohttp.ClientSession(timeout=within, connector=connector, headers=headers) as http,
            http.request(method, url, allow_redirects=False, **how) as answer,
        ):
            if answer.status != _OK:
                raise UnreachableError(f"{url} answers {answer.status}")
            return await answer.json(content_type=None)
    except TimeoutError as error:
        raise UnreachableError(f"{url} does not answer within {item.within.total_seconds():g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise UnreachableError(f"{url}: {type(error).__name__} {str(error)[:150]}") from error
