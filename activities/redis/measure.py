"""The measuring writer for Redis: one member of a set per new connection, at the master as a good client finds it.

A good client does not wait for Sentinel's word, which comes one to two seconds after the promotion: a demoted master says
itself whom it follows. So the writer stays with its master until that fails, then takes the server that says it is master
and that the majority of the Sentinels, or the old master, names.
"""

from __future__ import annotations

from datetime import timedelta

from activities.clients.ports import RedisAnswerError, RedisServers, UnreachableError, WriteFailedError
from activities.redis.models import RedisMeasureRequest, RedisSurvey, ServerFact
from activities.redis.survey import survey_of
from activities.run.declare import step
from activities.run.measured import measured
from activities.run.models.measure import Measurement
from activities.run.postures import WAIT

_LOOK = timedelta(seconds=0.3)
_ROW_TIMEOUT = timedelta(seconds=1)


class RedisMeasureActivities:
    """Runs beside a failover."""

    def __init__(self, redis: RedisServers) -> None:
        """Write to ``redis``."""
        self._redis = redis

    @step("redis.measure", WAIT, lambda _: "measure outage and loss")
    async def measure(self, request: RedisMeasureRequest) -> Measurement:
        """Write until cancelled, then return outage and loss."""
        return await measured(_RedisRows(self._redis, request), request.interval)


class _RedisRows:
    def __init__(self, redis: RedisServers, request: RedisMeasureRequest) -> None:
        self._redis, self._target, self._run = redis, request.target, str(request.run)
        self._master = ""

    async def prepare(self) -> None:
        await self._find()

    async def write(self, row: int) -> None:
        if not self._master:
            await self._find()
        try:
            await self._redis.add_row(self._target, self._master, self._run, row, within=_ROW_TIMEOUT)
        except RedisAnswerError as error:
            await self._find()
            raise WriteFailedError(error.code, str(error)) from error
        except UnreachableError:
            await self._find()
            raise

    async def missing(self, rows: tuple[int, ...]) -> int:
        await self._find()
        return await self._redis.missing_rows(self._target, self._master, self._run, rows)

    async def remove(self) -> None:
        await self._redis.remove_rows(self._target, self._master, self._run)

    async def _find(self) -> None:
        survey = await survey_of(self._redis, self._target, _LOOK)
        found = writable_of(survey, survey.server(self._master) if self._master else None)
        if found is None:
            raise UnreachableError("no server is known to be the master")
        self._master = found.name


def writable_of(survey: RedisSurvey, before: ServerFact | None) -> ServerFact | None:
    """Return the server to write to: a master that the one ``before`` follows, or that a majority of Sentinels names."""
    masters = {fact.address: fact for fact in survey.servers if fact.is_master}
    if before is not None and before.follows in masters:
        return masters[before.follows]
    return masters.get(survey.named)
