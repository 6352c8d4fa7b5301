"""``attest``: a person's word that the old primary of a forced failover is stopped. It names the member it means."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from starters.client.answers import Answer, CommandError, Exit, must_be_named
from starters.client.following import again
from starters.client.targets import find
from starters.commands.decide import must_be_open, send_word
from workers.connection import connect
from workflows.run.models import Attestation


@dataclass(frozen=True)
class Word:
    """A word as typed."""

    target: str
    member: str
    by: str
    note: str


async def attest(word: Word) -> Answer:
    """Send the word and say what the run makes of it."""
    must_be_named(word.by)
    if not word.member:
        raise CommandError(Exit.USAGE, "member: empty; name the old primary that is stopped (failover status says which)")
    client = await connect()
    place = await find(client, word.target)
    await must_be_open(client, place)
    attestation = Attestation(by=word.by, member=word.member, note=word.note)
    status = await send_word(client, place, "attest", attestation)
    text = f"{word.by} says that {word.member} is stopped; {place.name} goes on: {again(place)}"
    return Answer(Exit.DONE, {"attested": word.member, "status": status.model_dump(mode="json")}, Text(text))
