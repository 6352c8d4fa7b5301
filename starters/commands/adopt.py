"""``adopt``: takes over a pair that has run without gates."""

from __future__ import annotations

from starters.client.answers import Output, respond_about_run
from starters.client.requests import ADOPT, Typed
from starters.commands import arguments as arg
from starters.commands.follow import Following
from starters.commands.start import plan, start


def adopt_command(  # noqa: PLR0913 - one parameter an option
    target: arg.Cluster,
    *,
    leader: arg.Leader = None,
    plan_only: arg.PlanOnly = False,
    by: arg.By = "",
    reason: arg.Reason = "",
    follows: arg.Follow = None,
    watch: arg.OldFollow = None,
    timeout: arg.Timeout = None,
    output: arg.OutputOption = Output.TEXT,
) -> None:
    """Take over a PostgreSQL pair that runs without gates.

    Until the first leader record is written nothing changes. docs/install.md says what must be in place before.
    """
    typed = Typed(ADOPT, target, to=leader, by=by, reason=reason)
    following = Following.typed(output, timeout, follows, watch)
    respond_about_run(output, plan(typed) if plan_only else start(typed, following))
