"""Looks at a workload's pods, breaks one for a drill, replaces broken ones, and waits until all is healthy again.

Kubernetes mends most by itself: a container that ends is started again, a pod that is deleted is made anew. What it does
not mend is a pod that it believes in: one that crashes and is started again after longer and longer pauses, one that never
leaves, one whose node has fallen silent. Those are deleted, each by its UID, so that doing it twice is doing it once.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from activities.clients.cluster_ports import Workloads
from activities.clients.granting import granted
from activities.clients.ports import ForbiddenError, MissingError, UnreachableError, WriteFailedError
from activities.pods.models import (
    AnswerRequest,
    Mended,
    MendRequest,
    PodSeen,
    Replaced,
    ReplaceRequest,
    StrikeRequest,
    Struck,
    WorkloadLook,
    WorkloadSurvey,
)
from activities.run.declare import step
from activities.run.errors import Refusal, refuse
from activities.run.measured import measured
from activities.run.models.measure import Measurement
from activities.run.polling import sleep
from activities.run.postures import CHANGE, FORWARD, READ, WAIT
from estate.workloads import WorkloadTarget

_LOOK_SECONDS, _ASK_SECONDS = 0.2, 0.05
_ANSWERS_IN_A_ROW = 10
_DIES_WITHIN = timedelta(seconds=10)
"""A first process that was told to end, and handles it, takes no longer here; then the pod is deleted without grace."""


class PodActivities:
    """The steps of ``pod-failover``."""

    def __init__(self, workloads: Workloads) -> None:
        """Look and act through ``workloads``."""
        self._workloads = workloads

    @step("pods.survey", READ, lambda request: f"survey {request.target.workload.deployment}")
    async def survey(self, request: WorkloadLook) -> WorkloadSurvey:
        """Return the workload as it is now, broken pods with their events and last log lines. Changes nothing.

        Raises:
            ApplicationError: ``BadEstate`` when there is no such Deployment, ``Unreachable`` when we may not look.

        """
        survey = await self._survey(request.target)
        told = await asyncio.gather(*(self._with_evidence(request.target, pod) for pod in survey.pods))
        return survey.model_copy(update={"pods": tuple(told)})

    async def _survey(self, target: WorkloadTarget) -> WorkloadSurvey:
        (wanted, pods), answer = await asyncio.gather(self._pods(target), self._answer(target))
        return WorkloadSurvey(at=datetime.now(UTC), wanted=wanted, pods=pods, answer=answer)

    async def _pods(self, target: WorkloadTarget) -> tuple[int, tuple[PodSeen, ...]]:
        try:
            return await granted(self._workloads.pods(target))
        except MissingError as error:
            raise refuse(Refusal.BAD_ESTATE, f"deployment: {error}; correct the estate") from error

    async def _answer(self, target: WorkloadTarget) -> str:
        try:
            await self._workloads.ask(target)
        except (WriteFailedError, UnreachableError) as error:
            return str(error)
        return ""

    async def _with_evidence(self, target: WorkloadTarget, pod: PodSeen) -> PodSeen:
        return pod if pod.is_ready else await self._workloads.evidence(target, pod)

    @step("pods.end_process", CHANGE, lambda request: f"end the main process of {request.pod.name}", formerly="pods.strike")
    async def end_process(self, request: StrikeRequest) -> Struck:
        """End the main process of a pod. One that is not as it was before has been struck already, and is left alone.

        A container whose processes take no signal from inside is ended by deleting its pod without grace.
        """
        target, pod = request.target, request.pod
        began, how = datetime.now(UTC), "an earlier attempt had done it"
        if (own := await self._as_before(target, pod)) is not None:
            try:
                how = await self._workloads.end_main_process(target, own)
            except ForbiddenError as error:
                raise refuse(Refusal.NOT_AVAILABLE, f"{error}; see drill-access.yaml in the shipped base") from error
            except MissingError:
                how = "it had gone already"
        while (own := await self._as_before(target, pod)) is not None:
            if datetime.now(UTC) - began > _DIES_WITHIN:
                await self._workloads.delete(target, own, at_once=not own.volumes)
                grace = "with its grace" if own.volumes else "without grace"
                how = f"{how}; it lived on, and was deleted {grace}"
                break
            await sleep(_LOOK_SECONDS)
        return Struck(pod=pod.name, at=began, how=how)

    async def _as_before(self, target: WorkloadTarget, pod: PodSeen) -> PodSeen | None:
        """Return the workload's own pod of that UID, unless it has changed: the name in the request decides nothing."""
        _, pods = await self._pods(target)
        return None if _has_changed(pod, pods) else next(one for one in pods if one.uid == pod.uid)

    @step(
        "pods.await_healthy",
        FORWARD,
        lambda request: f"wait until {request.target.workload.deployment} is healthy",
        formerly="pods.mended",
    )
    async def await_healthy(self, request: MendRequest) -> Mended:
        """Return once the workload is whole, or when time is up. Changes nothing.

        Whole is: as many pods ready as wanted, no other left, and ten answers in a row from the Service.
        """
        target, ready_at = request.target, None
        while True:
            survey = await self._quietly(target)
            if survey is not None and _shows(request, survey) and not survey.broken and len(survey.ready) >= survey.wanted:
                ready_at = ready_at or survey.at
                if (answers_at := await self._answers(target)) is not None:
                    return Mended(whole=True, at=answers_at, ready_at=ready_at, answers_at=answers_at, survey=survey)
            elif survey is not None:
                ready_at = None
            if survey is not None and datetime.now(UTC) >= request.until:
                told = await self.survey(WorkloadLook(target=target))
                return Mended(whole=False, at=told.at, ready_at=ready_at, survey=told)
            await sleep(_LOOK_SECONDS)

    async def _quietly(self, target: WorkloadTarget) -> WorkloadSurvey | None:
        try:
            return await self._survey(target)
        except UnreachableError:
            return None

    async def _answers(self, target: WorkloadTarget) -> datetime | None:
        """Return when the Service had answered often enough in a row; ``None`` as soon as it does not."""
        for _ in range(_ANSWERS_IN_A_ROW):
            if await self._answer(target):
                return None
            await sleep(_ASK_SECONDS)
        return datetime.now(UTC)

    @step("pods.replace", FORWARD, lambda request: f"replace {', '.join(pod.name for pod in request.pods)}")
    async def replace(self, request: ReplaceRequest) -> Replaced:
        """Delete those of the pods that are the Deployment's own, so that it makes new ones; gone ones stay gone.

        One that may still write data where nobody sees it stays: a new one would write the same data beside it.
        """
        forced = tuple(pod.name for pod in request.pods if pod.unseen)
        _, own = await self._pods(request.target)
        asked = {(pod.name, pod.uid) for pod in request.pods}
        for pod in (one for one in own if (one.name, one.uid) in asked and not one.may_write):
            await self._workloads.delete(request.target, pod, at_once=pod.name in forced)
        return Replaced(pods=tuple(pod.name for pod in request.pods), forced=forced, at=datetime.now(UTC))

    @step("pods.measure", WAIT, lambda _: "measure the Service's answers")
    async def measure(self, request: AnswerRequest) -> Measurement:
        """Ask the Service until cancelled, then return the longest time without a good answer."""
        return await measured(_Answers(self._workloads, request.target), request.interval)


class _Answers:
    """Answers counted like rows: there is nothing that could be lost."""

    def __init__(self, workloads: Workloads, target: WorkloadTarget) -> None:
        self._workloads, self._target = workloads, target

    async def prepare(self) -> None:
        """Nothing is needed."""

    async def write(self, row: int) -> None:  # noqa: ARG002 - questions have no number
        await self._workloads.ask(self._target)

    async def missing(self, rows: tuple[int, ...]) -> int:  # noqa: ARG002
        return 0

    async def remove(self) -> None:
        """Nothing was left."""


def _shows(request: MendRequest, survey: WorkloadSurvey) -> bool:
    return request.changed_from is None or _has_changed(request.changed_from, survey.pods)


def _has_changed(before: PodSeen, pods: tuple[PodSeen, ...]) -> bool:
    """Whether the pod is another one by now, has been started anew, or is not ready."""
    now = next((pod for pod in pods if pod.uid == before.uid), None)
    return now is None or now.restarts > before.restarts or not now.is_ready
