"""A Redis deployment and what became of it, in tables and sentences."""

from __future__ import annotations

from rich.console import RenderableType

from activities.redis.models import RedisDetails, RedisSurvey
from starters.render import words
from starters.render.tables import Rows


def redis_tables(survey: RedisSurvey) -> list[RenderableType]:
    """Return what each server and each Sentinel said."""
    servers = Rows("server", "role", "follows", "offset")
    names = {fact.address: fact.name for fact in survey.servers if fact.address}
    for fact in survey.servers:
        role = {"master": "master", "slave": "replica"}.get(fact.role or "", f"no answer: {fact.error}")
        link = f"{names.get(fact.follows, fact.follows)}, link {'up' if fact.link_up else 'down'}" if fact.follows else ""
        servers.add_row(fact.name, role, link, str(fact.offset) if fact.role else "")
    sentinels = Rows("Sentinel", "names as master", "epoch", "")
    for watcher in survey.sentinels:
        named = names.get(watcher.master, watcher.master) or f"no answer: {watcher.error}"
        sentinels.add_row(watcher.name, named, str(watcher.config_epoch), watcher.words)
    return [servers, sentinels]


def redis_lines(details: RedisDetails) -> list[str]:
    """Return what a failover of Redis did, and who agrees."""
    lines = [f"{name} took itself for the master before; it follows now" for name in details.strays]
    if (quiesced := details.quiesced) is not None:
        lines.append(f"writers were held back; the replicas had everything after {words.duration(quiesced.seconds)}")
    if (moved := details.moved) is not None:
        sent = f"; the old master follows, {moved.clients_ended} clients were sent away" if moved.demoted else ""
        lines.append(f"{moved.leader} is master after {words.duration(moved.seconds)}{sent} {moved.note}".rstrip())
    if (agreed := details.agreed) is not None:
        lines.append(
            f"{len(agreed.sentinels)} Sentinels name it (all that answer after {words.duration(agreed.sentinels_seconds)}),"
            f" {len(agreed.followers)} replicas follow (after {words.duration(agreed.followers_seconds)})"
        )
    return lines
