"""``attest``: a person's statement that the old primary is stopped, or that an item of the checklist is done."""

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
from workflows.run.models import Attestation, ItemWord, Status


@dataclass(frozen=True)
class TypedAttestation:
    """An attestation as typed."""

    target: str
    member: str
    by: str
    note: str
    signing: Signing = UNSIGNED
    item: str = ""
    """An item of the checklist, in place of a member."""
    done: bool = True


def attest_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    member: arg.Stopped = "",
    item: arg.ItemKey = "",
    not_done: arg.NotDone = False,
    by: arg.By = "",
    note: arg.Note = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Confirm that the old leader is stopped, or an item done.

    IF THE MEMBER STILL RUNS, TWO SERVERS TAKE WRITES. An item is one of the checklist that holds the run (--item).

    Use it only when you know that its machine is powered off, deallocated, or detached from its disk, and its gate cannot
    confirm this itself. A forced failover promotes nobody before that is confirmed. The report keeps your name and note.
    For a lost node, name the node: failover attest node-2 --member node-2.
    """
    respond_about_run(output, _said(TypedAttestation(target, member, by, note, Signing(key, printed), item, not not_done)))


async def _said(typed: TypedAttestation) -> Answer:
    """Send what was said. CommandError: not one of both."""
    must_be_named(typed.by)
    if bool(typed.member) == bool(typed.item):
        raise CommandError(Exit.USAGE, "member, item: give one of both: --member MEMBER that is stopped, or --item KEY")
    return await (tick(typed) if typed.item else attest(typed))


async def tick(typed: TypedAttestation) -> Answer:
    """Send the word of an item and say what the run makes of it."""
    client = await connect()
    place = await find(client, typed.target)
    chronicle = await must_be_open(client, place)
    said = ItemWord(by=typed.by, item=typed.item, done=typed.done, note=typed.note)
    word = await typed.signing.sign("attest", said, place, chronicle)
    if typed.signing.printed:
        return to_paste(word)
    status = await send(client, place.of(chronicle.run_id), "tick", word, model=Status, what="the word")
    open_ = [one.key for one in status.checks if one.holds]
    waits = f"open: {', '.join(open_)}" if open_ else "nothing of the checklist is open"
    text = f"{typed.by} says that {typed.item} is {'' if typed.done else 'not '}done; {waits}: {again(place)}"
    return Answer(Exit.DONE, {"item": typed.item, **shape_of(chronicle, status)}, Text(text))


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
