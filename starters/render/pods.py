"""A workload's pods and what became of them, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from activities.pods.models import PodDetails, PodSeen, WorkloadSurvey
from starters.render import words
from starters.render.tables import Rows

_LOG_LINES = 8


def pod_tables(survey: WorkloadSurvey) -> list[RenderableType]:
    """Return each pod in a row, and what the broken ones' events and logs say."""
    table = Rows("pod", "state", "node", "restarts", "last end", "")
    for pod in survey.pods:
        state = Text(pod.trouble.value, style="" if pod.is_ready else "yellow")
        table.add_row(pod.name, state, pod.node, str(pod.restarts), pod.last_end, pod.words)
    service = [Text(f"  Service: {survey.answer}", style="yellow")] if survey.answer else []
    return [table, *service, *(Text(f"  {line}", style="dim") for line in evidence_lines(survey))]


def evidence_lines(survey: WorkloadSurvey) -> list[str]:
    """Return the broken pods' events and last log lines."""
    return [line for pod in survey.broken for line in _evidence(pod)]


def _evidence(pod: PodSeen) -> list[str]:
    since = f" since {pod.since:%H:%M:%S} UTC" if pod.since else ""
    lines = [f"{pod.name}: {pod.trouble.value}{since}{f': {pod.words}' if pod.words else ''}"]
    lines += [f"  event {line}" for line in pod.events]
    return lines + [f"  log   {line}" for line in pod.log_tail.splitlines()[-_LOG_LINES:]]


def pod_lines(details: PodDetails) -> list[str]:
    """Return what was done to the pods, and how long it took."""
    lines = []
    if (struck := details.struck) is not None:
        lines.append(f"{struck.pod}: {struck.how} at {struck.at:%H:%M:%S} UTC")
    if (replaced := details.replaced) is not None:
        forced = f" ({', '.join(replaced.forced)} without waiting for the kubelet)" if replaced.forced else ""
        lines.append(f"replaced: {', '.join(replaced.pods)}{forced}")
    if (mended := details.mended) is None:
        return lines
    began = mended.at.timestamp() - (details.recovery_seconds or 0.0)
    if mended.ready_at is not None:
        lines.append(f"all pods ready {words.duration(mended.ready_at.timestamp() - began)} after the break")
    if mended.answers_at is not None and details.survey is not None:
        lines.append(f"the Service answered ten times in a row by {words.duration(mended.answers_at.timestamp() - began)}")
    if not mended.whole:
        lines += evidence_lines(mended.survey)
    return lines
