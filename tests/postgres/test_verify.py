"""What the step that proves the route says of a new leader that is too busy to answer it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.clients.ports import UnreachableError
from activities.clients.systems import Systems
from activities.postgres.models.plan import PostgresPlan
from activities.postgres.models.transfer import Switch
from activities.postgres.post_promotion import AftermathActivities
from activities.run.models.diagnosis import Silence
from activities.run.models.wire import RunId
from gate.record import Mode
from tests.postgres.samples import A, B, target

_FULL = "pg: OperationalError: FATAL: sorry, too many clients already"


class _Behind:
    """The Service leads to B, which has an error for everybody."""

    def __init__(self, silence: Silence) -> None:
        self._silence = silence

    async def endpoints(self, *_: Any) -> tuple[str, ...]:
        return (B,)

    async def verify_write(self, *_: Any) -> None:
        raise UnreachableError(_FULL, self._silence)


@pytest.mark.parametrize(
    ("silence", "words"),
    [(Silence.NO_ROOM, f"{B} has no connection slot free: {_FULL}"), (Silence.TURNED_AWAY, _FULL)],
)
async def test_a_new_leader_whose_connection_slots_are_full_is_named_and_asked_again(silence: Silence, words: str) -> None:
    plan = PostgresPlan(cluster="orders", mode=Mode.PLANNED, primary=A, candidate=B)
    switch = Switch(target=target(), plan=plan, epoch=6, run=RunId(workflow_id="postgres/orders", run_id="1"))
    behind = cast("Any", _Behind(silence))
    systems = Systems(behind, cast("Any", None), cast("Any", None), behind)
    with pytest.raises(ApplicationError) as again:
        await ActivityEnvironment().run(AftermathActivities(systems).verify, switch)
    assert (again.value.message, again.value.non_retryable) == (words, False)
