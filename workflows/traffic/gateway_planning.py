"""Decides from a survey what is to be changed about a gateway. Pure.

A backend is taken out when the gateway calls it Down and it does not prove the opposite by answering the worker. It comes
back only when it answers the worker: out of the pool, the gateway's own probes do not reach it. The two rules exclude each
other, so that no run undoes what the one before has done.

While the declared probe is not in place, the gateway's word is about another question. Then the probe is mended first, and
only a backend that itself answers badly is taken out in the same change.
"""

from __future__ import annotations

from ipaddress import ip_address

from activities.run.errors import Refusal, refuse
from activities.traffic.gateway_models import READY, BackendFact, Direct, Edit, GatewayPlan, GatewaySurvey, Health, Place
from activities.traffic.gateway_probe import probe_edits
from estate.gateways import GatewayTarget
from gate.record import Mode
from workflows.traffic.gateway_models import GatewayFailoverRequest

_UNDONE = {"Failed", "Canceled"}
"""States of a gateway whose last change was not made: it takes another one."""


def make_gateway_plan(request: GatewayFailoverRequest, target: GatewayTarget, survey: GatewaySurvey) -> GatewayPlan:
    """Return the plan. Raises refusals as ApplicationError: one sentence with a name or a number."""
    _must_be_known(request, target, survey)
    mended, basis = probe_edits(target, survey.gateway), survey.gateway.basis
    pool, only = [survey.of(one) for one in basis.pool], (request.backend or "").casefold()
    mine = [one for one in survey.backends if target.gateway.declares(one.address) and only in {"", one.address.casefold()}]
    ill = [one for one in mine if _is_in(one, pool) and _is_bad(one, drifted=bool(mended))]
    back = [one for one in mine if not _is_in(one, pool) and one.direct is Direct.GOOD]
    well = [one for one in pool if one not in ill and _is_well(one)] + back
    if ill and len(well) < target.gateway.least:
        _must_be_let(target, pool, ill, well, mending=bool(mended))
        ill = []
    edits = (*mended, *(_out(target, survey, one) for one in ill), *(_back(target, one) for one in back))
    if not edits:
        _must_agree(pool)
    goal = [one.address for one in pool if one not in ill and _must_be_up(one, drifted=bool(mended))]
    return GatewayPlan(
        cluster=target.name,
        mode=Mode.PLANNED,
        edits=edits,
        basis=basis,
        take_out=tuple(one.address for one in ill),
        put_back=tuple(one.address for one in back),
        goal=(*goal, *(one.address for one in back)),
        only=request.backend or "",
        steps=_steps(edits, len(goal) + len(back)),
        loss="none: a gateway keeps nothing; requests under way to a backend that is taken out are drained by Azure",
        warnings=_warnings(target, survey, pool, ill),
    ).sealed()


def _must_be_known(request: GatewayFailoverRequest, target: GatewayTarget, survey: GatewaySurvey) -> None:
    """Refuse where something is not known, or is not there."""
    fact, gateway = survey.gateway, target.gateway
    if fact.error:
        raise refuse(Refusal.UNREACHABLE, f"nobody knows how {target.name} is: {fact.error}")
    for there, what, name in ((fact.has_pool, "pool", gateway.pool), (fact.has_settings, "settings", gateway.settings)):
        if not there:
            raise refuse(Refusal.NOT_WHOLE, f"{target.name} has no {what} {name}: correct {what} in the estate")
    if fact.state not in {READY, *_UNDONE}:
        words = f"{target.name} is {fact.state or 'in no known state'}: wait until that change has ended"
        raise refuse(Refusal.BUSY, words)
    if survey.health_error:
        raise refuse(Refusal.UNREACHABLE, f"nobody knows what {target.name} says of its backends: {survey.health_error}")
    if fact.basis.pool and all(survey.of(one).health is None for one in fact.basis.pool):
        words = f"no rule of {target.name} brings pool {gateway.pool} and settings {gateway.settings} together"
        raise refuse(Refusal.NOT_WHOLE, f"{words}: correct them in the estate")
    if request.backend is not None and not gateway.declares(request.backend):
        known = ", ".join(gateway.backends)
        raise refuse(Refusal.BAD_INPUT, f"backend: {request.backend} is no backend of {target.name}; there is {known}")


def _is_in(one: BackendFact, pool: list[BackendFact]) -> bool:
    return one.address.casefold() in {each.address.casefold() for each in pool}


def _is_bad(one: BackendFact, *, drifted: bool) -> bool:
    """Whether it is to be taken out: by the gateway's word, and not against its own; by its own, where the probe differs."""
    if one.health is not Health.DOWN:
        return False
    return one.direct is Direct.BAD if drifted else one.direct is not Direct.GOOD


def _is_well(one: BackendFact) -> bool:
    return one.health is Health.UP or one.direct is Direct.GOOD


def _must_be_up(one: BackendFact, *, drifted: bool) -> bool:
    """Whether the gateway must call it Up afterwards: whom it calls Up now; with another probe, whoever may be well."""
    return one.health is Health.UP or (drifted and one.direct is not Direct.BAD)


def _must_be_let(
    target: GatewayTarget, pool: list[BackendFact], ill: list[BackendFact], well: list[BackendFact], *, mending: bool
) -> None:
    """Refuse to take out ``ill``, since too few would be left. Where the probe is mended they stay in, and are named."""
    names = ", ".join(one.address for one in ill)
    if mending:
        return
    if not well:
        raise refuse(
            Refusal.NOT_THE_BACKENDS,
            f"every backend of {target.name} is unhealthy ({'; '.join(one.told for one in pool)}): taking all out helps"
            " nobody; it is what they need, or the way to them; failover doctor",
        )
    raise refuse(
        Refusal.TOO_FEW_BACKENDS,
        f"without {names} there would be {len(well)} healthy in {target.gateway.pool}, and at least {target.gateway.least}"
        " must stay (least in the estate): mend them, or add backends",
    )


def _must_agree(pool: list[BackendFact]) -> None:
    """Refuse to call all well while the gateway calls one Down that answers the worker."""
    if disputed := [one for one in pool if one.health is Health.DOWN]:
        raise refuse(
            Refusal.RECORD_DISAGREES,
            f"{'; '.join(one.told for one in disputed)}: nobody is taken out for that; see the network between gateway and"
            " backend, and its firewall",
        )


def _out(target: GatewayTarget, survey: GatewaySurvey, one: BackendFact) -> Edit:
    fact, pool = survey.gateway, target.gateway.pool
    return Edit(
        place=Place.BACKEND,
        name=pool,
        key=one.address,
        before=fact.entries[one.address],
        index=fact.basis.pool.index(one.address),
        words=f"pool {pool}: {one.address} in → out",
    )


def _back(target: GatewayTarget, one: BackendFact) -> Edit:
    pool = target.gateway.pool
    return Edit(
        place=Place.BACKEND,
        name=pool,
        key=one.address,
        after={_kind_of(one.address): one.address},
        words=f"pool {pool}: {one.address} out → in",
    )


def _kind_of(address: str) -> str:
    try:
        ip_address(address)
    except ValueError:
        return "fqdn"
    return "ipAddress"


def _steps(edits: tuple[Edit, ...], healthy: int) -> tuple[str, ...]:
    if not edits:
        return ("nothing is to be done",)
    return (
        *(f"change: {edit.words}" for edit in edits),
        "all of it in one request to Azure, which takes about a minute; what is not named here is sent back as it was read",
        f"verify: the gateway calls {healthy} backends Up; else the change is put back",
    )


def _warnings(
    target: GatewayTarget, survey: GatewaySurvey, pool: list[BackendFact], ill: list[BackendFact]
) -> tuple[str, ...]:
    said = []
    if survey.gateway.state in _UNDONE:
        said.append(
            f"the last change of {target.name} ended {survey.gateway.state}: what Azure shows may not be what it works with"
        )
    for one in pool:
        if one not in ill and one.health is Health.DOWN:
            why = "" if target.gateway.declares(one.address) else "; the estate does not declare it"
            said.append(f"{one.told}; it stays in the pool{why}")
    absent = [one for one in survey.backends if not _is_in(one, pool) and one.direct is not Direct.GOOD]
    said += [f"{one.address} is out of the pool and stays out; asked directly: {one.answer}" for one in absent]
    return tuple(said)
