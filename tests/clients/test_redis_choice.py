"""Who is the master: a server that says so is believed only where the Sentinels' word leads to it."""

from __future__ import annotations

import pytest

from deploy.clients.errors import AccessDeniedError
from deploy.clients.redis_choice import NoMasterError, Survey, View, choose
from deploy.clients.redis_link import Address
from deploy.clients.redis_master import _is_settled

OLD, NEW, THIRD = ("10.0.0.1", 6379), ("10.0.0.2", 6379), ("10.0.0.3", 6379)
SENTINELS = [(f"10.0.1.{number}", 26379) for number in range(3)]
BEFORE, AFTER = View(OLD, 4), View(NEW, 5)


def survey(*views: View, **follows: Address) -> Survey:
    """Return what was heard; servers that are not named did not answer."""
    heard = Survey(3, servers={OLD, NEW, THIRD}, views=dict(zip(SENTINELS, views, strict=False)))
    heard.follows = {{"old": OLD, "new": NEW, "third": THIRD}[name]: whom for name, whom in follows.items()}
    heard.silent = dict.fromkeys(heard.servers - heard.follows.keys(), "no answer")
    return heard


def test_the_named_server_that_says_so_is_the_master() -> None:
    assert choose(survey(BEFORE, BEFORE, BEFORE, old=OLD, new=OLD, third=OLD)) == OLD


def test_a_demoted_master_leads_to_the_new_one_before_any_sentinel_does() -> None:
    assert choose(survey(BEFORE, BEFORE, BEFORE, old=NEW, new=NEW, third=OLD)) == NEW


def test_the_highest_epoch_counts_also_when_one_sentinel_alone_has_it() -> None:
    assert choose(survey(BEFORE, AFTER, BEFORE, old=OLD, new=NEW, third=OLD)) == NEW


@pytest.mark.parametrize("views", [(AFTER, AFTER, AFTER), (AFTER, AFTER), (BEFORE, AFTER, AFTER)])
def test_an_old_master_that_came_back_is_none(views: tuple[View, ...]) -> None:
    assert choose(survey(*views, old=OLD, new=NEW, third=NEW)) == NEW
    with pytest.raises(NoMasterError, match=r"10\.0\.0\.2:6379 does not answer"):
        choose(survey(*views, old=OLD, third=NEW))


def test_a_master_that_nobody_names_is_none_though_it_is_the_only_one_left() -> None:
    with pytest.raises(NoMasterError, match=r"10\.0\.0\.1:6379 does not answer"):
        choose(survey(BEFORE, BEFORE, BEFORE, new=NEW, third=OLD))


def test_two_masters_while_a_failover_is_under_way_are_one_too_many() -> None:
    going_on = View(OLD, 4, failing_over=True)
    with pytest.raises(NoMasterError, match="a failover is under way"):
        choose(survey(BEFORE, going_on, BEFORE, old=OLD, new=NEW, third=OLD))
    assert choose(survey(BEFORE, going_on, BEFORE, old=NEW, new=NEW, third=OLD)) == NEW


def test_a_minority_of_sentinels_needs_a_majority_of_servers_beside_it() -> None:
    assert choose(survey(BEFORE, old=OLD, new=OLD, third=OLD)) == OLD
    with pytest.raises(NoMasterError, match="1 of 3 Sentinels answer"):
        choose(survey(BEFORE, old=OLD, new=NEW, third=NEW))
    with pytest.raises(NoMasterError, match="1 of 3 Sentinels answer"):
        choose(survey(BEFORE, old=OLD))


def test_what_a_majority_once_said_outlives_it() -> None:
    heard = survey(BEFORE, old=OLD, new=NEW, third=NEW)
    heard.known = AFTER
    assert choose(heard) == NEW
    heard = survey(BEFORE, BEFORE, old=OLD, new=OLD, third=OLD)
    heard.known = View(NEW, 77)
    assert choose(heard) == OLD, "Sentinels that were set up anew count from zero"


def test_a_sentinel_that_is_still_to_be_heard_is_waited_for_a_moment() -> None:
    heard = survey(BEFORE, BEFORE, old=OLD, new=OLD, third=OLD)
    assert not _is_settled(heard, hearing=True, asking=False, seconds=0.05)
    assert _is_settled(heard, hearing=True, asking=False, seconds=0.15)
    heard = survey(BEFORE, BEFORE, old=OLD, new=NEW, third=OLD)
    assert not _is_settled(heard, hearing=True, asking=False, seconds=0.15), "two masters: the last word may decide"
    going_on = survey(BEFORE, View(OLD, 4, failing_over=True), BEFORE, old=OLD)
    assert not _is_settled(going_on, hearing=False, asking=True, seconds=0.15), "another one may say that it is a master"
    assert _is_settled(going_on, hearing=False, asking=False, seconds=0.15)


def test_nobody_to_ask_and_servers_in_a_circle_end_in_a_sentence() -> None:
    with pytest.raises(NoMasterError, match="no Sentinel names a master"):
        choose(survey())
    with pytest.raises(NoMasterError, match="follows a circle"):
        choose(survey(BEFORE, BEFORE, BEFORE, old=NEW, new=OLD))


def test_a_wrong_password_is_said_to_be_one() -> None:
    heard = survey()
    heard.denied = set(SENTINELS)
    with pytest.raises(AccessDeniedError, match="refuse the password"):
        choose(heard)
    heard = survey(BEFORE, BEFORE, BEFORE)
    heard.denied = {OLD}
    with pytest.raises(AccessDeniedError, match=r"10\.0\.0\.1:6379 refuses the password"):
        choose(heard)
