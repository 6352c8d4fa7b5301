"""When everybody agrees on a new Redis master: all of them at the same look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from activities.clients.ports import UnreachableError
from activities.redis.models import AgreeRequest, RedisPlan, RedisRole, RedisSwitch, SentinelFact, ServerFact
from activities.redis.post_promotion import RedisAftermathActivities
from activities.run.models.wire import RunId
from estate.base import Region
from estate.redis import RedisDeployment, RedisTarget
from gate.record import Mode

_NEW, _OLD = "10.0.0.2:6379", "10.0.0.1:6379"


class Returning:
    """The old master is dead at first, then back and of nobody, then a follower; the last Sentinel is late meanwhile."""

    def __init__(self) -> None:
        self.looks = 0

    async def server(self, target: RedisTarget, name: str, **_: Any) -> ServerFact:  # noqa: ARG002 - the Protocol's
        if name == "redis-1":
            return ServerFact(name=name, address=_NEW, role=RedisRole.MASTER)
        self.looks += 1
        if self.looks < 3:
            raise UnreachableError("it is dead")
        follows = _NEW if self.looks > 5 else ""
        return ServerFact(name=name, address=_OLD, role=RedisRole.REPLICA, follows=follows, link_up=bool(follows))

    async def sentinel(self, target: RedisTarget, name: str, **_: Any) -> SentinelFact:  # noqa: ARG002
        late = name == "s-2" and self.looks < 4
        return SentinelFact(name=name, master=_OLD if late else _NEW)


async def test_one_that_comes_back_before_all_sentinels_agree_is_waited_for() -> None:
    deployment = RedisDeployment(region="eastus", servers=("redis-0", "redis-1"), sentinels=("s-0", "s-1", "s-2"))
    target = RedisTarget(name="mymaster", region=Region(location="East US", namespace="a"), deployment=deployment)
    plan = RedisPlan(cluster="mymaster", mode=Mode.FORCED, primary="redis-0", candidate="redis-1", digest="")
    run = RunId(workflow_id="redis/mymaster", run_id="1")
    switch = RedisSwitch(target=target, plan=plan, old=_OLD, eligible=("redis-1",), run=run)
    request = AgreeRequest(switch=switch, within=timedelta(seconds=20), only_living=True)
    agreed = await RedisAftermathActivities(cast("Any", Returning())).agree(request)
    assert agreed.missing == ()
    assert agreed.followers == ("redis-0",)
