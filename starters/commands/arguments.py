"""Arguments and options that several commands share, with the words that ``--help`` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starters.client.answers import Output
from starters.commands.report import Format

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A name of the estate (orders, mymaster, api), a workflow ID (pods/api), or WORKFLOW_ID/RUN_ID for one run.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="Its name in the estate file: a PostgreSQL cluster (orders), a Redis master (mymaster), a workload (api),"
        " or the name of a node.",
    ),
]
Procedure = Annotated[
    str,
    typer.Argument(
        metavar="PROCEDURE",
        help="postgres-failover (move writes), postgres-rollback (take a promotion back), postgres-rejoin (bring a standby"
        " back), postgres-adopt (take over a pair that has run without gates), redis-failover (replace a Redis master)"
        ", pod-failover (mend a workload's broken pods) or node-failover (empty a node, leaders first).",
    ),
]
Watched = Annotated[
    str | None,
    typer.Argument(metavar="TARGET", help="orders, or postgres/orders. Default: everything.", show_default=False),
]
OneWatch = Annotated[str, typer.Argument(metavar="TARGET", help="orders, or watch/postgres/orders.", show_default=False)]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="planned|forced|lossless|discard",
        help="*-failover: planned (it lives; nothing is lost; the default) or forced (it is gone). "
        "postgres-rollback: lossless (the default) or discard (what was written since is given up).",
        show_default=False,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="MEMBER",
        help="Who is to lead. Default: the best standby (postgres-adopt: the old primary).",
        show_default=False,
    ),
]
Member = Annotated[
    str | None,
    typer.Option(
        "--member",
        metavar="MEMBER",
        help="postgres-rejoin: whom to bring back. Default: all that do not follow. redis-failover: the master that is to be"
        " replaced; refused where another one leads by now.",
        show_default=False,
    ),
]
Drilled = Annotated[
    str, typer.Argument(metavar="PROCEDURE", help="pod-failover (end the main process of a pod and see it come back).")
]
Pod = Annotated[
    str | None,
    typer.Option(
        "--pod",
        metavar="POD",
        help="pod-failover: which pod is ended. Default: the first that is ready.",
        show_default=False,
    ),
]
Uncordon = Annotated[
    bool,
    typer.Option("--uncordon", help="node-failover: let pods on the node again at the end. Default: it stays cordoned."),
]
Attest = Annotated[
    bool,
    typer.Option(
        "--attest",
        help="Forced: you say, by name, that the old primary is stopped, or is to be stopped at any price."
        " Only when you know: its machine is off or deallocated.",
    ),
]
Stopped = Annotated[
    str,
    typer.Option(
        "--member", metavar="MEMBER", help="The old primary that is stopped; it must be named.", show_default=False
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        "--max-bytes",
        metavar="SIZE",
        help="postgres-rollback, discard: WAL written since the promotion that may be lost, for example 1MiB.",
        show_default=False,
    ),
]
MaxTransactions = Annotated[
    int | None,
    typer.Option(
        "--max-transactions",
        metavar="N",
        help="postgres-rollback, discard: transactions since the promotion that may be lost.",
        show_default=False,
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by", metavar="NAME", envvar="FAILOVER_BY", help="Your name, as the estate file spells it.", show_default=False
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the report.", show_default=False)]
Leader = Annotated[
    str | None,
    typer.Option("--leader", metavar="MEMBER", help="Who was the primary; refused if it was not.", show_default=False),
]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Only show what would happen; changes nothing.")]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="How long: 2h, 90m, 1d12h. At most 7 days.", show_default=False),
]
Off = Annotated[bool, typer.Option("--off", help="End the pause.")]
OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", metavar="text|json", help="json prints exactly one JSON document on stdout.", show_default=False
    ),
]
PlanDigest = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="DIGEST",
        help="Digest of the plan that you have looked at (failover status TARGET).",
        show_default=False,
    ),
]
Role = Annotated[
    str,
    typer.Option(
        "--role", metavar="ROLE", help="In which role, if you hold more than one that is needed.", show_default=False
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Stands in the report.", show_default=False)]

AnyTarget = Annotated[
    str | None,
    typer.Argument(metavar="[TARGET]", help="As for watch; without it everything that is open.", show_default=False),
]
OnlyCluster = Annotated[
    str | None,
    typer.Argument(
        metavar="[TARGET]",
        help="Only this one: a cluster, master or workload of the estate. Default: all.",
        show_default=False,
    ),
]
RunOption = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]", help="A cluster's name (its last run), a run ID, or WORKFLOW_ID/RUN_ID.", show_default=False
    ),
]
Watch = Annotated[
    bool | None,
    typer.Option(
        "--watch/--no-watch",
        help="Follow the run to its end (default on a terminal), or return once it is under way.",
        show_default=False,
    ),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Read a kept history.json instead of asking Temporal.", show_default=False),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="text|markdown|html|json",
        help="Default: text, or what --write's name says.",
        show_default=False,
    ),
]
WriteTo = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write the report to FILE (.md, .html, .json).", show_default=False),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, newest first.")]
Plans = Annotated[bool, typer.Option("--plans", help="List plan runs too.")]
