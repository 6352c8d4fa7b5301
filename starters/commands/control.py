"""``hold``, ``release``, ``skip`` and ``force``: what a person orders of a run while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError
from rich.text import Text

from activities.run.models.control import Control
from starters.client.answers import Answer, CommandError, Exit, Output, must_be_named, respond_about_run
from starters.client.following import again
from starters.client.results import shape_of
from starters.client.runs import must_be_open, send
from starters.client.signing import UNSIGNED, Signing, to_paste
from starters.client.targets import Place, find
from starters.commands import arguments as arg
from workers.connection import connect
from workflows.run.control import HoldOrder, ReleaseOrder, StepOrder
from workflows.run.models import Signable, Status
from workflows.run.phases import Phase

_ORDERS: dict[Control, type[Signable]] = {
    Control.HOLD: HoldOrder,
    Control.RELEASE: ReleaseOrder,
    Control.SKIP: StepOrder,
    Control.FORCE: StepOrder,
}


@dataclass(frozen=True)
class TypedOrder:
    """An order as typed."""

    what: Control
    target: str
    by: str
    reason: str
    step: str = ""
    anyway: bool = False
    signing: Signing = UNSIGNED

    @property
    def order(self) -> Signable:
        """Return what is sent. CommandError: an option is missing or too long."""
        model = _ORDERS[self.what]
        typed = {"by": self.by.strip(), "reason": self.reason, "step": self.step, "anyway": self.anyway}
        try:
            return model.model_validate({key: value for key, value in typed.items() if key in model.model_fields})
        except ValidationError as error:
            fault = error.errors()[0]
            option = str(fault["loc"][0])
            if fault["type"] == "string_too_short":
                remedy = "add --reason WHY" if option == "reason" else "failover status shows which can be named"
                raise CommandError(Exit.USAGE, f"{option}: missing; {remedy}") from error
            raise CommandError(Exit.USAGE, f"{option}: {fault['msg']}, got {fault['input']!r:.80}; shorten it") from error


def hold_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    reason: arg.Reason = "",
    anyway: arg.Anyway = False,
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Hold a run before its next phase.

    The phase that goes on ends first. A run that keeps clients from being served is held after that, unless you add
    --anyway. A held run goes on only when released, and can be cancelled as before.
    """
    typed = TypedOrder(Control.HOLD, target, by, reason, anyway=anyway, signing=Signing(key, printed))
    respond_about_run(output, control(typed))


def release_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    *,
    by: arg.By = "",
    reason: arg.Reason = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Let a held run go on. Before its first change it looks again, and refuses if another plan would be made now."""
    respond_about_run(output, control(TypedOrder(Control.RELEASE, target, by, reason, signing=Signing(key, printed))))


def skip_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    step: arg.Step,
    *,
    by: arg.By = "",
    reason: arg.Reason = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Skip a step of a run, before it begins or while it goes on.

    It stays listed as left to do. failover status shows which steps can be skipped now.
    """
    respond_about_run(output, control(TypedOrder(Control.SKIP, target, by, reason, step, signing=Signing(key, printed))))


def force_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Target,
    step: arg.Step,
    *,
    by: arg.By = "",
    reason: arg.Reason = "",
    key: arg.Key = None,
    printed: arg.Printed = False,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Use the ungraceful form of a step of a run.

    failover status shows which steps have one now, and what it does.
    """
    respond_about_run(output, control(TypedOrder(Control.FORCE, target, by, reason, step, signing=Signing(key, printed))))


async def control(typed: TypedOrder) -> Answer:
    """Send the order and say what the run makes of it."""
    must_be_named(typed.by)
    order = typed.order
    client = await connect()
    place = await find(client, typed.target)
    chronicle = await must_be_open(client, place)
    order = await typed.signing.sign(typed.what.value, order, place, chronicle)
    if typed.signing.printed:
        return to_paste(order)
    run = place.of(chronicle.run_id)
    status = await send(client, run, typed.what.value, order, model=Status, what=f"the order to {typed.what.value}")
    text = f"{_told(typed, status, place)}; {again(place)}"
    if typed.what is Control.HOLD:
        text += f"\n  failover release {place.name} --by NAME"
    return Answer(Exit.DONE, {"control": typed.what.value, **shape_of(chronicle, status)}, Text(text))


def _told(typed: TypedOrder, status: Status, place: Place) -> str:
    """Return what has been ordered, and when it takes effect."""
    if typed.what is Control.HOLD:
        now = "" if status.phase is Phase.HELD else f" (it is {status.phase.value})"
        return f"{place.name} is {status.held}{now}"
    if typed.what is Control.RELEASE:
        return f"{place.name} goes on, released by {typed.by}"
    return f"{typed.step} of {place.name} is {typed.what.done}, by {typed.by}"
