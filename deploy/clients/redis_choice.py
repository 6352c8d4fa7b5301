"""Which Redis server is the master, decided from what Sentinels and servers say. No I/O.

Sentinels tell late: a replica is master about 0.2 s after a failover began, the first Sentinel publishes it a second
after that, the last one two. Servers tell at once, but not the truth alone: a master that was frozen, cut off or killed
comes back as a master. So the way starts at the server that the Sentinels name at the highest epoch, and goes on from each
server that says of itself that it follows another one. A master that this way does not reach is none, whatever it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.clients.errors import AccessDeniedError
from deploy.clients.redis_link import Address, shown


class NoMasterError(Exception):
    """Nothing can be decided yet; the message says why."""


@dataclass(frozen=True)
class View:
    """What one Sentinel says about the master name."""

    master: Address
    epoch: int
    """Its configuration's epoch: a failover gets a higher one than all before it."""
    replicas: tuple[Address, ...] = ()
    """Every other server that it knows of; the old master too, while a failover goes on."""
    failing_over: bool = False
    """This Sentinel leads a failover in which it has not seen a replica promoted yet."""


@dataclass
class Survey:
    """What was heard in one round of questions."""

    sentinels: int
    """How many there are; not how many answered."""
    servers: set[Address] = field(default_factory=set)
    """All that were asked, or should have been."""
    views: dict[Address, View] = field(default_factory=dict)
    follows: dict[Address, Address] = field(default_factory=dict)
    """Server → whose replica it says it is; a master is its own."""
    silent: dict[Address, str] = field(default_factory=dict)
    """Who did not answer, and why."""
    denied: set[Address] = field(default_factory=set)
    """Who refused the password."""
    known: View | None = None
    """The last word of a majority in earlier rounds: counts while less than a majority answers."""

    @property
    def majority(self) -> int:
        """How many Sentinels decide."""
        return self.sentinels // 2 + 1

    @property
    def best(self) -> View | None:
        """The view of the highest epoch."""
        views = list(self.views.values())
        if self.known and len(views) < self.majority:
            views.append(self.known)
        return max(views, key=lambda view: view.epoch, default=None)

    @property
    def failing_over(self) -> bool:
        """Whether a Sentinel is about to name another master."""
        return any(view.failing_over for view in self.views.values())

    @property
    def masters(self) -> set[Address]:
        """Servers that say that they are masters, rightly or not."""
        return {server for server, followed in self.follows.items() if server == followed}

    def followers(self, master: Address) -> int:
        """Return how many servers say that they follow ``master``, itself included."""
        return sum(followed == master for followed in self.follows.values())


def choose(survey: Survey) -> Address:
    """Return the master.

    Raises:
        NoMasterError: nothing can be decided yet.
        AccessDeniedError: the password is wrong.
    """
    best = survey.best
    if best is None:
        raise _nobody_knows(survey)
    master = _end_of_the_way(survey, best.master)
    if len(survey.views) < survey.majority and 2 * survey.followers(master) <= len(survey.servers):
        raise NoMasterError(
            f"{len(survey.views)} of {survey.sentinels} Sentinels answer, and no majority follows {shown(master)}"
        )
    others = survey.masters - {master}
    if survey.failing_over and master == best.master and others:
        names = " and ".join(shown(one) for one in sorted({master, *others}))
        raise NoMasterError(f"{names} say that they are masters, and a failover is under way")
    return master


def _end_of_the_way(survey: Survey, start: Address) -> Address:
    """Return the master at the end of what servers say whom they follow, from ``start`` on."""
    here = start
    for _ in range(len(survey.follows) + 1):
        if here in survey.denied:
            raise AccessDeniedError(f"{shown(here)} refuses the password")
        if here not in survey.follows:
            raise NoMasterError(f"{shown(here)} does not answer: {survey.silent.get(here, 'not asked yet')}")
        if survey.follows[here] == here:
            return here
        here = survey.follows[here]
    raise NoMasterError(f"{shown(start)} follows a circle")


def _nobody_knows(survey: Survey) -> Exception:
    if survey.denied:
        return AccessDeniedError(f"{', '.join(shown(one) for one in sorted(survey.denied))} refuse the password")
    reasons = "; ".join(f"{shown(one)}: {why}" for one, why in sorted(survey.silent.items()))
    return NoMasterError(f"no Sentinel names a master: {reasons or 'none was asked'}")
