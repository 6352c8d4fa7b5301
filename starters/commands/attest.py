"""``attest``: a person's statement that the old primary of a forced failover is stopped. It names the member it means."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named, respond_about_run
from starters.client.following import again
from starters.client.results import shape_of
from starters.client.runs import must_be_open, send
from starters.client.signing import UNSIGNED, Signing, to_paste
from starters.client.targets import find
from starters.commands import arguments as arg
from workers.connection import connect
from workflows.run.models import Attestation, Status


@dataclass(frozen=True)
class TypedAttestation:
    """An attestation as typed."""

    target: str
    member: str
    by: str
    note: str
    signing: Signing = UNSIGNED


def attest_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    member: arg.Stopped,
    by: arg.By = "",
    note: arg.Note = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Confirm, under your name, that the old leader is stopped. IF IT STILL RUNS, TWO SERVERS TAKE WRITES.

    Use it only when you know that its machine is powered off, deallocated, or detached from its disk, and its gate cannot
    confirm this itself. A forced failover promotes nobody before that is confirmed. The report keeps your name and note.
    For a lost node, name the node: failover attest node-2 --member node-2.
    """
    respond_about_run(output, attest(TypedAttestation(target, member, by, note, Signing(key, printed))))


async def attest(typed: TypedAttestation) -> Answer:
    """Send the attestation and say what the run makes of it."""
    must_be_named(typed.by)
    if not typed.member:
        raise CommandError(Exit.USAGE, "member: empty; name the old primary that is stopped (failover status says which)")
    client = await connect()
    place = await find(client, typed.target)
    chronicle = await must_be_open(client, place)
    said = Attestation(by=typed.by, member=typed.member, note=typed.note)
    attestation = await typed.signing.sign("attest", said, place, chronicle)
    if typed.signing.printed:
        return to_paste(attestation)
    status = await send(client, place.of(chronicle.run_id), "attest", attestation, model=Status, what="the attestation")
    text = f"{typed.by} says that {typed.member} is stopped; {place.name} goes on: {again(place)}"
    return Answer(Exit.DONE, {"attested": typed.member, **shape_of(chronicle, status)}, Text(text))
