"""Two regions as ``failover lab`` sees them: started once, spoken to through their keeper, ended whatever is left."""

from __future__ import annotations

import sys
import time
from typing import Any

from deploy.lab.cluster import Say
from deploy.lab.names import LabError, LabUsageError
from deploy.lab.packages import ensure_packages
from deploy.lab.processes import pid_of, spawn, wait_until
from deploy.lab.regions import control
from deploy.lab.regions.ending import KEEPER, end, has_remains, one_at_a_time
from deploy.lab.regions.faults import FAULTS
from deploy.lab.regions.names import Regions

_LISTENS_WITHIN_SECONDS, _ANSWERS_WITHIN_SECONDS = 30, 30.0
Facts = dict[str, Any]


def up(regions: Regions, say: Say) -> Facts:
    """Start them, or start what does not run of them; return their facts when customers are served.

    Raises:
        LabError: they do not start.
    """
    ensure_packages(say)
    began, ran = time.monotonic(), runs(regions)
    if not ran:
        _start_keeper(regions, say)
    facts = control.ask(regions.keeper.home, say, do="await")
    if ran:
        say(f"  {control.ask(regions.keeper.home, say, do='heal')['done']}")
        facts = control.ask(regions.keeper.home, say, do="await")
    say(f"  two regions, Azure, Temporal and two workers: {time.monotonic() - began:.1f} s")
    return facts


def _start_keeper(regions: Regions, say: Say) -> None:
    """Start a keeper unless another command does so at this moment; sweep first what one that was killed has left."""
    with one_at_a_time(regions):
        if runs(regions):
            return
        if has_remains(regions):
            say("  what is left of two regions whose keeper was killed is removed; their databases start empty")
            end(regions)
        home = regions.keeper.home
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "deploy.lab.regions.keeper", regions.name]
        spawn(regions.keeper, KEEPER, command, {"TMPDIR": str(home / "tmp")})  # temporary folders go with the lab
        wait_until("the keeper's start", lambda: control.is_there(home) or not runs(regions), _LISTENS_WITHIN_SECONDS)
        if not runs(regions):
            raise LabError(f"the keeper of the two regions has ended at once; see {home}/logs/{KEEPER}.log")


def runs(regions: Regions) -> bool:
    """Whether their keeper runs."""
    return pid_of(regions.keeper, KEEPER) is not None


def find(name: str) -> Regions | None:
    """Return the two regions of that name if they run, or if anything is left of them."""
    if not Regions.may_be_called(name):
        return None
    regions = Regions(name)
    return regions if runs(regions) or has_remains(regions) else None


def running(name: str) -> Regions:
    """Return the two regions of that name.

    Raises:
        LabUsageError: they do not run.
        LabError: they did, until their keeper was killed.
    """
    regions = Regions(name)
    if not runs(regions) and has_remains(regions):
        option = regions.option
        raise LabError(
            f"the keeper of the two regions {name} was killed, and their databases with it;"
            f" failover lab up regions{option} starts new ones, failover lab down{option} removes what is left"
        )
    if not runs(regions):
        raise LabUsageError(
            f"name: no two regions {name} run here; start them with: failover lab up regions{regions.option}"
        )
    return regions


def break_it(regions: Regions, what: str, target: str) -> str:
    """Break one of ``FAULTS``; return a sentence that says what was done."""
    return str(control.ask(regions.keeper.home, lambda _: None, do="break", what=what, target=target)["done"])


def heal(regions: Regions, what: str, target: str, say: Say) -> str:
    """Heal one of ``FAULTS``, or everything; return a sentence that says what is back."""
    return str(control.ask(regions.keeper.home, say, do="heal", what=what, target=target)["done"])


def status(regions: Regions) -> Facts:
    """Return what can be seen of them."""
    return control.ask(regions.keeper.home, lambda _: None, _ANSWERS_WITHIN_SECONDS, do="status")


def down(regions: Regions, say: Say) -> None:
    """Leave nothing behind. Harmless where nothing is."""
    with one_at_a_time(regions):
        end(regions, say)


def must_be_a_fault(what: str) -> None:
    """Return if two regions have such a fault.

    Raises:
        LabUsageError: they do not.
    """
    if what not in FAULTS:
        raise LabUsageError(f"what: {what!r} is not one of {', '.join(FAULTS)}; without it everything is healed")
