"""Looks at a Redis master: whom a majority of the Sentinels names, and whether that one says that it leads.

Sentinel replaces a master that is gone by itself. What is found here is what Sentinel does not mend in time.
"""

from __future__ import annotations

from datetime import timedelta

from activities.clients.ports import RedisServers
from activities.detection.models import Condition, Finding, Look
from activities.redis.models import RedisSurvey
from activities.redis.survey import survey_of
from activities.run.models.diagnosis import Silence
from estate.redis import RedisTarget

_WITHIN = timedelta(seconds=1)


class RedisEye:
    """One witness's eye on one deployment."""

    def __init__(self, redis: RedisServers, target: RedisTarget) -> None:
        """Ask ``redis``."""
        self._redis, self._target = redis, target

    async def look(self) -> Look:
        """Return whether the master that the Sentinels name takes writes."""
        survey = await survey_of(self._redis, self._target, _WITHIN, address_within=_WITHIN)
        answers = [fact.name for fact in survey.sentinels if fact.master]
        if not answers and not any(fact.role for fact in survey.servers):
            return Look(blind="no server and no Sentinel answers: it may be this witness that is cut off")
        turned_away = [fact for fact in survey.servers if fact.silence is Silence.TURNED_AWAY]
        if survey.named and survey.master is None and turned_away and not survey.holds_it_for_down:
            words = "; ".join(f"{fact.name}: {fact.error}" for fact in turned_away)
            return Look(blind=f"the master {survey.named} may be one that answers and lets nobody look ({words})")
        finding = self._trouble_in(survey, len(answers))
        return Look(findings=(finding,) if finding else ())

    def _trouble_in(self, survey: RedisSurvey, answers: int) -> Finding | None:
        name = self._target.name
        if not survey.named:
            words = f"{answers} of {len(survey.sentinels)} Sentinels answer, and no majority names one master"
            return Finding(subject=name, condition=Condition.SILENT, words=words)
        master = survey.master
        if master is not None and master.is_master:
            return None
        if master is not None:
            words = f"{master.name}, which the Sentinels name, is a replica"
            return Finding(subject=name, condition=Condition.STOPPED, words=words)
        silent = [fact for fact in survey.servers if fact.role is None]
        refused = len(silent) == 1 and silent[0].silence is Silence.REFUSED
        who = ", ".join(f"{fact.name}: {fact.error}" for fact in silent) or "no server has that address"
        condition = Condition.REFUSED if refused else Condition.SILENT
        return Finding(subject=name, condition=condition, words=f"the master {survey.named} does not answer ({who})")
