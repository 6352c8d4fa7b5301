"""Which standbys have followed the leader, so that their positions and their lag tell what they have of its writes.

A standby that was away during a promotion is on an earlier timeline, or knows of an earlier epoch. What it says of its lag
is of the leader before: 0 seconds, perhaps, and all that was written since is missing.
"""

from __future__ import annotations

from activities.postgres.models.survey import MemberFact, Survey
from activities.run.errors import Refusal, refuse
from gate.api import Role
from gate.record import Record


def on_an_earlier_timeline(survey: Survey, record: Record) -> dict[str, str]:
    """Return the standbys on an earlier timeline than another member, with why they may not lead.

    Such a one was away when the leader was promoted. What it has received cannot be compared with what the others have, and
    it follows whoever leads next. Promoted, it would begin the leader's timeline a second time. A member that is stopped or
    frozen counts, the leader, too: its gate knows the timeline.
    """
    gates = {fact.name: fact.gate for fact in survey.members if fact.gate is not None}
    timelines = {
        name: gate.timeline or 0 for name, gate in gates.items() if gate.system_identifier == record.system_identifier
    }
    newest = max(timelines, key=lambda name: timelines[name], default="")
    return {
        name: f"{name} is on timeline {timeline}, {newest} on {timelines[newest]}"
        for name, timeline in timelines.items()
        if timeline < timelines[newest] and gates[name].role is Role.STANDBY and name != record.leader
    }


def must_know_who_has_most(left: dict[str, str], standbys: list[MemberFact], record: Record, wanted: str | None) -> None:
    """Refuse to choose where commits waited for nobody on the latest timeline, or for one that was left behind.

    A synchronous member has streamed from this leader. If it says that it is on an earlier timeline, or another one on a
    later, a disk was set back, or a timeline was given up: a person must say who leads.
    """
    latest = {fact.name for fact in standbys if fact.name not in left} & {*record.sync_members}
    if left and not wanted and (not latest or left.keys() & {*record.sync_members}):
        words = f"commits wait for {record.sync}: find out who has the rows, and name that one, --to MEMBER"
        raise refuse(Refusal.WRONG_TIMELINE, f"{'; '.join(left.values())}; {words}")


def leads_since(survey: Survey, record: Record) -> int:
    """Return the epoch at which the leader was promoted; that of the record, where its gate does not say.

    A standby that has not heard of it has not followed this leader: the lag that it tells is of the one before.
    """
    fact = survey.member(record.leader)
    return record.epoch if fact is None or fact.gate is None else fact.gate.promoted_at_epoch or 0
